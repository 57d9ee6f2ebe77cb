package org.deimv2.app

import android.content.ContentValues
import android.content.Context
import android.content.Intent
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.net.Uri
import android.os.Build
import android.provider.MediaStore
import org.deimv2.detector.Manifest
import java.io.IOException

/** Pictures with their boxes in the phone's gallery; before Android 10 that took a permission, and is not offered. */
object SavedPicture {
    private const val FIRST_VERSION = 29 // Android 10
    private const val QUALITY = 92
    private const val LINES = 300f // a line's width and a text's height, as shares of the picture's longer side
    private const val TEXTS = 40f

    val isOffered = Build.VERSION.SDK_INT >= FIRST_VERSION

    /** [photo] with what was [found] in it above [threshold]. */
    fun draw(
        photo: Bitmap,
        manifest: Manifest,
        found: Found,
        threshold: Float,
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
            val text = found.captionOf(row, manifest)
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

    /** Where the gallery has it now. Throws IOException where there is no room, or no gallery. */
    fun save(
        context: Context,
        picture: Bitmap,
    ): Uri {
        val about =
            ContentValues().apply {
                put(MediaStore.MediaColumns.DISPLAY_NAME, "DEIMv2-${System.currentTimeMillis()}.jpg")
                put(MediaStore.MediaColumns.MIME_TYPE, "image/jpeg")
            }
        val gallery = context.contentResolver
        val place = gallery.insert(MediaStore.Images.Media.EXTERNAL_CONTENT_URI, about) ?: throw IOException()
        try {
            val written =
                gallery.openOutputStream(place)?.use { picture.compress(Bitmap.CompressFormat.JPEG, QUALITY, it) }
            if (written != true) throw IOException()
        } catch (error: IOException) {
            gallery.delete(place, null, null)
            throw error
        }
        return place
    }

    fun share(
        context: Context,
        place: Uri,
    ) {
        val send = Intent(Intent.ACTION_SEND).setType("image/jpeg").putExtra(Intent.EXTRA_STREAM, place)
        send.addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
        context.startActivity(Intent.createChooser(send, null))
    }
}
