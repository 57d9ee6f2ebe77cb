package org.deimv2.detector

import android.content.Context
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import java.io.File
import java.io.InputStream
import java.io.OutputStream

/** What `deimv2 app android` put into the app's assets, as a folder: the runtimes read files, not assets. */
object Artifacts {
    /** The folder's name in the assets. */
    const val FOLDER = "deimv2"

    /** The names of the assets' folders that hold an export, by alphabet; of none, [FOLDER]. Throws [DetectorException]. */
    suspend fun folders(context: Context): List<String> = withContext(Dispatchers.IO) { copyOf(context).folders() }

    /**
     * Copies the assets below [folder] into the app's files, unless an earlier run of the same app did, and
     * reads the copy's manifest, off the caller's thread. Throws [DetectorException].
     */
    suspend fun read(
        context: Context,
        folder: String = FOLDER,
    ): Manifest = withContext(Dispatchers.IO) { Manifest.read(copyOf(context).make(folder, context.noBackupFilesDir)) }

    private fun copyOf(context: Context): ArtifactCopy {
        val assets = context.assets
        return ArtifactCopy(assets::open) { assets.list(it).orEmpty().toList() }
    }
}

/** [open] and [list]: of the assets; both throw IOException. */
internal class ArtifactCopy(
    private val open: (String) -> InputStream,
    private val list: (String) -> List<String>,
) {
    fun folders(): List<String> =
        asset("") { list("").filter { Manifest.NAME in list(it) }.sorted() }.ifEmpty { listOf(Artifacts.FOLDER) }

    /** The copy of a folder, below [into]. The manifest is copied last: a copy that was cut off is made again. */
    fun make(
        folder: String,
        into: File,
    ): File {
        val target = File(into, folder)
        val manifest = File(target, Manifest.NAME)
        val wanted = asset(folder) { open("$folder/${Manifest.NAME}").use { it.readBytes() } }
        writing(folder) {
            if (manifest.isFile && manifest.readBytes().contentEquals(wanted)) return target
            target.deleteRecursively()
            copy(folder, target)
            manifest.writeBytes(wanted)
        }
        return target
    }

    private fun copy(
        from: String,
        to: File,
    ) {
        val names = asset(from) { list(from) }
        if (names.isNotEmpty()) to.mkdirs()
        for (name in names) {
            val path = "$from/$name"
            if (asset(path) { list(path) }.isNotEmpty()) {
                copy(path, File(to, name))
            } else if (name != Manifest.NAME) {
                asset(path) { open(path) }.use { input -> File(to, name).outputStream().use { write(path, input, it) } }
            }
        }
    }

    /** In pieces: a model is too large to be held whole. */
    private fun write(
        path: String,
        input: InputStream,
        output: OutputStream,
    ) {
        val piece = ByteArray(DEFAULT_BUFFER_SIZE)
        while (true) {
            val count = asset(path) { input.read(piece) }
            if (count < 0) return
            output.write(piece, 0, count)
        }
    }

    private fun <T> asset(
        path: String,
        read: () -> T,
    ): T =
        orSay(read) {
            "the assets '$path' cannot be read (${it.message}), expected an export folder in them; " +
                "run 'deimv2 app android' and build again"
        }

    private inline fun writing(
        folder: String,
        write: () -> Unit,
    ) = orSay(write) {
        "the assets '$folder' cannot be copied to this phone (${it.message}), expected room for them; free some space"
    }
}
