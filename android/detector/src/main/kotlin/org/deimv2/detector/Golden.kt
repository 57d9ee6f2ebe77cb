package org.deimv2.detector

import android.graphics.BitmapFactory
import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject
import java.io.File

/** A real photograph at input size, what PyTorch detects on it, and its next candidates. */
class Golden(
    val name: String,
    val frame: Frame,
    val reference: Detections,
    val candidates: Detections,
) {
    companion object {
        /** Reads and checks the manifest's golden files. Throws [DetectorException] for what is missing or damaged. */
        fun read(
            manifest: Manifest,
            decode: (File) -> Frame = ::decodePhoto,
        ): List<Golden> =
            manifest.golden.map { file ->
                manifest.check(file)
                val path = File(manifest.folder, file.detections)
                try {
                    val content = JSONObject(reading(path) { path.readText() })
                    Golden(
                        name = File(file.image).nameWithoutExtension,
                        frame = decode(File(manifest.folder, file.image)),
                        reference = Detections.of(content.getJSONArray("detections")),
                        candidates = Detections.of(content.getJSONArray("candidates")),
                    )
                } catch (error: JSONException) {
                    throw DetectorException("'$path' is no golden file (${error.message}); export again", error)
                }
            }

        private fun decodePhoto(path: File): Frame {
            val options = BitmapFactory.Options().apply { inScaled = false }
            val bitmap =
                BitmapFactory.decodeFile(path.path, options)
                    ?: throw DetectorException("'$path' is not an image; copy the folder or export again")
            return RgbFrame(bitmap).also { bitmap.recycle() }
        }
    }
}
