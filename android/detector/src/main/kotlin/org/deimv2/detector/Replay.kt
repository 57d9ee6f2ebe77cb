package org.deimv2.detector

import org.json.JSONArray
import org.json.JSONObject

/**
 * One artifact's replay of the golden photographs, as a row of `deimv2 verify --json`.
 *
 * [parity] is null where nothing ran: [problems] says why. [milliseconds]: of each photograph, the
 * runtime alone. [benchmark]: where the phone was timed as well.
 */
data class Replay(
    val artifact: String,
    val against: String,
    val runsOn: String,
    val problems: List<String>,
    val fallbacks: List<String> = emptyList(),
    val parity: Parity? = null,
    val limits: Limits? = null,
    val milliseconds: List<Double> = emptyList(),
    val benchmark: Benchmark? = null,
) {
    val passed get() = problems.isEmpty()

    fun toJson(): JSONObject {
        val row =
            JSONObject()
                .put("artifact", artifact)
                .put("against", against)
                .put("passed", passed)
                .put("problems", JSONArray(problems))
                .put("runs_on", runsOn)
                .put("fallbacks", JSONArray(fallbacks))
                .put("benchmark", benchmark?.toJson())
        if (parity == null || limits == null) return row
        return row
            .put("measured", parity.toJson())
            .put("limits", limits.toJson())
            .put("milliseconds", JSONArray(milliseconds))
    }

    companion object {
        /** Does [detector] detect here what PyTorch detects? Throws [DetectorException] if it cannot run. */
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
            return Replay(
                artifact = detector.file.name,
                against = against(manifest),
                runsOn = detector.runsOn,
                problems = parity.failures(limits),
                fallbacks = detector.fallbacks,
                parity = parity,
                limits = limits,
                milliseconds = times,
            )
        }

        /** The row of an artifact that could not be opened or run. */
        fun failed(
            manifest: Manifest,
            file: ModelFile,
            error: DetectorException,
        ) = Replay(file.name, against(manifest), runsOn = "", problems = listOf(error.message.orEmpty()))

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

        private fun against(manifest: Manifest): String {
            val rounds = manifest.precision in listOf("int8", "int8-weight")
            val model = if (rounds) "PyTorch rounding to int8" else "the float32 model"
            return "$model, ${manifest.golden.size} golden photographs"
        }
    }
}
