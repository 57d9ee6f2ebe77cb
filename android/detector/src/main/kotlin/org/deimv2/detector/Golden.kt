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

/** One artifact's replay of the golden photographs, as a row of `deimv2 verify --json`. */
data class Replay(
    val artifact: String,
    val against: String,
    val runsOn: String,
    val fallbacks: List<String>,
    val problems: List<String>,
    val parity: Parity,
    val limits: Limits,
    val milliseconds: List<Double>,
) {
    val passed get() = problems.isEmpty()

    fun toJson(): JSONObject =
        JSONObject()
            .put("artifact", artifact)
            .put("against", against)
            .put("passed", passed)
            .put("problems", JSONArray(problems))
            .put("measured", parity.toJson())
            .put("limits", limits.toJson())
            .put("runs_on", runsOn)
            .put("fallbacks", JSONArray(fallbacks))
            .put("milliseconds", JSONArray(milliseconds))

    companion object {
        /** Does the detector detect here what PyTorch detects? */
        suspend fun of(
            detector: Detector,
            goldens: List<Golden>,
        ): Replay {
            val manifest = detector.manifest
            val limits = Limits.OF.getValue(manifest.precision)
            val times = mutableListOf<Double>()
            val parities =
                goldens.map { golden ->
                    val found = detector.detect(golden.frame)
                    times += found.inferenceNanos / 1e6
                    Parity.compare(
                        golden.reference,
                        found,
                        manifest.inputHeight,
                        manifest.inputWidth,
                        limits,
                        golden.candidates,
                    )
                }
            val parity = Parity.merge(parities)
            val model = if (manifest.precision == "int8") "PyTorch rounding to int8" else "the float32 model"
            return Replay(
                artifact = detector.file.name,
                against = "$model, ${goldens.size} golden photographs",
                runsOn = detector.runsOn,
                fallbacks = detector.fallbacks,
                problems = parity.failures(limits),
                parity = parity,
                limits = limits,
                milliseconds = times,
            )
        }

        /** The rows together, in the form of `deimv2 verify --json`; [device] says where they were measured. */
        fun report(
            folder: String,
            device: String,
            rows: List<Replay>,
        ): JSONObject =
            JSONObject()
                .put("folder", folder)
                .put("device", device)
                .put("passed", rows.isNotEmpty() && rows.all { it.passed })
                .put("rows", JSONArray(rows.map { it.toJson() }))
    }
}
