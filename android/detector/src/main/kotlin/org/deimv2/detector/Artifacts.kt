package org.deimv2.detector

import android.content.Context
import android.content.res.AssetManager
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import java.io.File
import java.io.IOException

/** What `deimv2 app android` put into the app's assets, as a folder: the runtimes read files, not assets. */
object Artifacts {
    /** The folder's name in the assets. */
    const val FOLDER = "deimv2"

    /**
     * Copies the assets below [folder] into the app's files, unless an earlier run of the same app did, and
     * reads the copy's manifest, off the caller's thread. Throws [DetectorException].
     */
    suspend fun read(
        context: Context,
        folder: String = FOLDER,
    ): Manifest =
        withContext(Dispatchers.IO) { Manifest.read(unpack(context.assets, context.noBackupFilesDir, folder)) }

    /** The manifest is copied last: a copy that was cut off is made again. */
    private fun unpack(
        assets: AssetManager,
        into: File,
        folder: String,
    ): File {
        val target = File(into, folder)
        val manifest = File(target, Manifest.NAME)
        try {
            val wanted = assets.open("$folder/${Manifest.NAME}").use { it.readBytes() }
            if (manifest.isFile && manifest.readBytes().contentEquals(wanted)) return target
            target.deleteRecursively()
            copy(assets, folder, target)
            manifest.writeBytes(wanted)
        } catch (error: IOException) {
            throw DetectorException(
                "the assets '$folder' cannot be copied (${error.message}), expected an export folder in them; " +
                    "run 'deimv2 app android' and build again",
                error,
            )
        }
        return target
    }

    private fun copy(
        assets: AssetManager,
        from: String,
        to: File,
    ) {
        val names = assets.list(from).orEmpty()
        if (names.isNotEmpty()) to.mkdirs()
        for (name in names) {
            val path = "$from/$name"
            if (assets.list(path).orEmpty().isNotEmpty()) {
                copy(assets, path, File(to, name))
            } else if (name != Manifest.NAME) {
                assets.open(path).use { input -> File(to, name).outputStream().use { input.copyTo(it) } }
            }
        }
    }
}
