package org.deimv2.detector

import org.json.JSONObject
import java.nio.ByteBuffer
import kotlin.random.Random

/** Milliseconds of many runs, as `deimv2 benchmark` gives them: the median, and what 95 of 100 stay below. */
data class Latency(
    val p50: Double,
    val p95: Double,
) {
    fun toJson(): JSONObject = JSONObject().put("p50", p50).put("p95", p95)

    companion object {
        /** null for no times. */
        fun of(milliseconds: List<Double>): Latency? {
            if (milliseconds.isEmpty()) return null
            val sorted = milliseconds.sorted()
            return Latency(quantile(sorted, 0.5), quantile(sorted, 0.95))
        }

        /** Between two times in proportion, as numpy's. */
        private fun quantile(
            sorted: List<Double>,
            share: Double,
        ): Double {
            val place = share * (sorted.size - 1)
            val below = sorted[place.toInt()]
            val above = sorted[minOf(place.toInt() + 1, sorted.size - 1)]
            return below + (above - below) * (place - place.toInt())
        }
    }
}

/**
 * What a camera's frames take here, from the frame to the input, and from there to detections. [threads]: of
 * the CPU, null where the runtime chooses; [heat]: the phone's thermal state before and after, where it tells.
 */
data class Benchmark(
    val runs: Int,
    val warmUp: Int,
    val frame: String,
    val threads: Int?,
    val heat: Pair<String?, String?>,
    val prepare: Latency,
    val run: Latency,
) {
    fun toJson(): JSONObject =
        JSONObject()
            .put("runs", runs)
            .put("warm_up", warmUp)
            .put("frame", frame)
            .put("threads", threads)
            .put("heat_before", heat.first)
            .put("heat_after", heat.second)
            .put("prepare_ms", prepare.toJson())
            .put("run_ms", run.toJson())

    companion object {
        private const val WIDTH = 1280
        private const val HEIGHT = 720

        /** Times [runs] frames of 1280x720, turned as a phone held upright gives them, after [warmUp] others. */
        suspend fun of(
            detector: Detector,
            runs: Int = 100,
            warmUp: Int = 10,
            heat: () -> String? = { null },
        ): Benchmark {
            require(runs > 0) { "$runs runs, expected at least 1" }
            val frame = noise(WIDTH, HEIGHT, rotation = 90)
            repeat(warmUp) { detector.detect(frame) }
            val before = heat()
            val prepare = ArrayList<Double>(runs)
            val run = ArrayList<Double>(runs)
            repeat(runs) {
                val found = detector.detect(frame)
                prepare += found.preprocessNanos / 1e6
                run += found.inferenceNanos / 1e6
            }
            return Benchmark(
                runs,
                warmUp,
                "${WIDTH}x$HEIGHT",
                detector.threads,
                before to heat(),
                checkNotNull(Latency.of(prepare)),
                checkNotNull(Latency.of(run)),
            )
        }
    }
}

/** A camera's frame (NV12, direct buffers) of noise: what takes longest to convert. */
internal fun noise(
    width: Int,
    height: Int,
    rotation: Int,
): Frame {
    val luma = direct(Random(1).nextBytes(width * height))
    val chroma = Random(2).nextBytes(width * height / 2)
    val blue = Plane(direct(chroma.copyOf(chroma.size - 1)), width, 2)
    val red = Plane(direct(chroma.copyOfRange(1, chroma.size)), width, 2)
    return YuvFrame(Plane(luma, width, 1), blue, red, width, height, rotation)
}

private fun direct(bytes: ByteArray): ByteBuffer = ByteBuffer.allocateDirect(bytes.size).apply { put(bytes).rewind() }
