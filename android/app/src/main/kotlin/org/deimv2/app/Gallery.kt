package org.deimv2.app

import android.content.ContentValues
import android.content.Context
import android.content.Intent
import android.net.Uri
import android.os.Build
import android.provider.MediaStore
import java.io.IOException
import java.io.OutputStream

/** What is made here, in the phone's gallery; before Android 10 that took a permission, and is not offered. */
object Gallery {
    private const val FIRST_VERSION = 29 // Android 10
    private const val IS_PENDING = "is_pending" // MediaStore's name for it came with Android 10

    val isOffered = Build.VERSION.SDK_INT >= FIRST_VERSION

    /** Where the JPEG that [write] writes is now. Throws IOException where there is no room, or no gallery. */
    fun savePhoto(
        context: Context,
        write: (OutputStream) -> Unit,
    ): Uri = save(context, MediaStore.Images.Media.EXTERNAL_CONTENT_URI, "jpg", PHOTO, write)

    /** The same for an MP4. */
    fun saveVideo(
        context: Context,
        write: (OutputStream) -> Unit,
    ): Uri = save(context, MediaStore.Video.Media.EXTERNAL_CONTENT_URI, "mp4", VIDEO, write)

    fun delete(
        context: Context,
        place: Uri,
    ) {
        context.contentResolver.delete(place, null, null)
    }

    fun share(
        context: Context,
        place: Uri,
        type: String,
    ) {
        val send = Intent(Intent.ACTION_SEND).setType(type).putExtra(Intent.EXTRA_STREAM, place)
        send.addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
        context.startActivity(Intent.createChooser(send, null))
    }

    /** Nobody else sees it before it is whole; if this process ends before, the system deletes it. */
    private fun save(
        context: Context,
        collection: Uri,
        extension: String,
        type: String,
        write: (OutputStream) -> Unit,
    ): Uri {
        val about =
            ContentValues().apply {
                put(MediaStore.MediaColumns.DISPLAY_NAME, "DEIMv2-${System.currentTimeMillis()}.$extension")
                put(MediaStore.MediaColumns.MIME_TYPE, type)
                put(IS_PENDING, 1)
            }
        val gallery = context.contentResolver
        val place = gallery.insert(collection, about) ?: throw IOException("no gallery")
        var isWhole = false
        try {
            val stream = gallery.openOutputStream(place) ?: throw IOException("no room in the gallery")
            stream.use(write)
            gallery.update(place, ContentValues().apply { put(IS_PENDING, 0) }, null, null)
            isWhole = true
        } finally {
            if (!isWhole) gallery.delete(place, null, null)
        }
        return place
    }

    const val PHOTO = "image/jpeg"
    const val VIDEO = "video/mp4"
}
