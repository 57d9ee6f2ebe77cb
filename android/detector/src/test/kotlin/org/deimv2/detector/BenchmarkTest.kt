package org.deimv2.detector

import kotlinx.coroutines.runBlocking
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertNull
import kotlin.test.assertTrue

class BenchmarkTest {
    @Test
    fun percentilesAreThoseOfPython() {
        val cases = Vectors.json("latencies.json").getJSONArray("cases").objects { this }
        assertTrue(cases.size > 5)
        for (case in cases) {
            val times = case.getJSONArray("milliseconds").map { getDouble(it) }
            val found = checkNotNull(Latency.of(times))
            assertEquals(case.getDouble("p50"), found.p50, 1e-9, "p50 of $times")
            assertEquals(case.getDouble("p95"), found.p95, 1e-9, "p95 of $times")
        }
        assertNull(Latency.of(emptyList()))
    }

    @Test
    fun framesAfterTheWarmUpAreTimed() {
        val detector = Slow()
        val heats = ArrayDeque(listOf("none", "light"))
        val timed = runBlocking { Benchmark.of(detector, runs = 3, warmUp = 2) { heats.removeFirst() } }
        assertEquals(5, detector.frames)
        assertEquals(Latency(4.0, 4.9), timed.run) // of 3, 4 and 5 ms
        assertEquals(Latency(0.5, 0.5), timed.prepare)
        val json = timed.toJson()
        assertEquals(
            "3 2 1280x720 2 none light",
            listOf(
                "runs",
                "warm_up",
                "frame",
                "threads",
                "heat_before",
                "heat_after",
            ).joinToString(" ") {
                json.get(it).toString()
            },
        )
        assertEquals(4.9, json.getJSONObject("run_ms").getDouble("p95"), 1e-9)
    }

    /** Says that its frames took 1, 2, 3 ... milliseconds. */
    private class Slow : Detector {
        var frames = 0
        override val manifest = Manifest.read(Vectors.folder.resolve("folder"))
        override val file = manifest.files.first()
        override val runsOn = "a test"
        override val threads = 2
        override val fallbacks = emptyList<String>()

        override suspend fun detect(frame: Frame): Detections {
            check(frame.uprightWidth == 720 && frame.uprightHeight == 1280)
            frames++
            return Detections(1).apply {
                preprocessNanos = 500_000
                inferenceNanos = frames * 1_000_000L
            }
        }

        override fun close() = Unit
    }
}
