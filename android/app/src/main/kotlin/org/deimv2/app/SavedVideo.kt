package org.deimv2.app

import android.content.Context
import android.net.Uri
import java.io.File
import java.io.IOException

/** A picture or a video with its boxes could not be written; nothing of it is left. */
class NotSavedException(
    cause: Exception,
) : Exception(cause)

/** A video with its boxes, named in [language], written to a temporary [file]. Throws [NotSavedException]. */
class SavedVideo(
    private val file: File,
    private val model: DetectionModel,
    private val language: String,
) : AutoCloseable {
    private var writer: VideoWriter? = null

    fun add(
        seen: Seen,
        micros: Long,
    ) = saving {
        val found = seen.found ?: throw IOException("a frame was not searched")
        val boxed = SavedPicture.draw(seen.picture, found, model.threshold, language)
        val writer = writer ?: VideoWriter(file, boxed.width, boxed.height).also { writer = it }
        writer.write(boxed, micros)
        boxed.recycle() // 4 MB a frame, which no collector knows of
    }

    /** After the last frame: where the gallery has it now. */
    fun publish(context: Context): Uri =
        saving {
            val writer = writer ?: throw IOException("a video without frames")
            writer.finish()
            Gallery.saveVideo(context) { to -> file.inputStream().use { it.copyTo(to) } }
        }

    override fun close() {
        writer?.close()
    }
}

/**
 * Throws [NotSavedException] for all that the gallery and the encoder throw. For what cannot be stopped inside:
 * CancellationException is an IllegalStateException, too.
 */
inline fun <T> saving(block: () -> T): T =
    try {
        block()
    } catch (error: IOException) {
        throw NotSavedException(error)
    } catch (error: IllegalStateException) {
        throw NotSavedException(error)
    } catch (error: IllegalArgumentException) {
        throw NotSavedException(error)
    }

/**
 * Gives [block] a new file of [folder] and deletes it, also when it throws or is cancelled. What a killed process
 * left is deleted a day later. Throws [NotSavedException] where there is no room for a file.
 */
suspend fun <T> withTemporaryFile(
    folder: File,
    block: suspend (File) -> T,
): T {
    val old = System.currentTimeMillis() - DAY
    folder.listFiles { file -> file.name.startsWith(PREFIX) && file.lastModified() < old }?.forEach { it.delete() }
    val file = saving { File.createTempFile(PREFIX, ".mp4", folder) }
    try {
        return block(file)
    } finally {
        file.delete()
    }
}

private const val PREFIX = "unfinished-"
private const val DAY = 24 * 60 * 60 * 1000L
