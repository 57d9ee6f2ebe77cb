package org.deimv2.app

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.net.Uri
import org.deimv2.camera.Found
import org.deimv2.camera.argbOf
import java.io.IOException

/** Pictures with their boxes, in the phone's gallery. */
object SavedPicture {
    private const val QUALITY = 92
    private const val LINES = 300f // a line's width and a text's height, as shares of the picture's longer side
    private const val TEXTS = 40f

    /** [photo] with what was [found] in it above [threshold], named in [language]. */
    fun draw(
        photo: Bitmap,
        found: Found,
        threshold: Float,
        language: String,
    ): Bitmap {
        val picture = photo.copy(Bitmap.Config.ARGB_8888, true)
        val canvas = Canvas(picture)
        val side = maxOf(picture.width, picture.height)
        val paint = Paint(Paint.ANTI_ALIAS_FLAG).apply { textSize = side / TEXTS }
        paint.strokeWidth = maxOf(1f, side / LINES)
        val corners = FloatArray(4)
        for (row in found.shown(threshold).asReversed()) { // the best last, on top
            found.detections.toFrame(row, picture.width, picture.height, rotation = 0, corners)
            val (left, top, right, bottom) = corners
            val text = found.captionOf(row, language)
            paint.color = argbOf(found.detections.labels[row])
            paint.style = Paint.Style.STROKE
            canvas.drawRect(left, top, right, bottom, paint)
            paint.style = Paint.Style.FILL
            val above = maxOf(top, paint.textSize)
            canvas.drawRect(left, above - paint.textSize, left + paint.measureText(text), above, paint)
            paint.color = Color.BLACK
            canvas.drawText(text, left, above - paint.descent(), paint)
        }
        return picture
    }

    /** Throws IOException where there is no room, or no gallery. */
    fun save(
        context: Context,
        picture: Bitmap,
    ): Uri =
        Gallery.savePhoto(context) {
            if (!picture.compress(Bitmap.CompressFormat.JPEG, QUALITY, it)) throw IOException("not compressed")
        }
}
