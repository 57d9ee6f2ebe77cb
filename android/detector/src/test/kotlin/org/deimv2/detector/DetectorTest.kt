package org.deimv2.detector

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ExecutorCoroutineDispatcher
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import java.io.File
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

/** What all detectors share, with a runtime that detects the same in every frame. */
class DetectorTest {
    private val folder = File(Vectors.folder, "folder")
    private val manifest = Manifest.read(folder)
    private val goldens = Golden.read(manifest) { RgbFrame(IntArray(32 * 64), 64, 32) }
    private val right = goldens.first().reference

    @Test
    fun theGoldenPhotographsAreReplayedInTheFormOfVerify() =
        runBlocking {
            val replay = open(right).use { Replay.of(it, goldens) }
            assertTrue(replay.passed, replay.problems.toString())
            assertEquals("the float32 model, 3 golden photographs", replay.against)
            val report = Replay.report("folder", "a test", listOf(replay))
            assertEquals(true, report.get("passed"))
            val row = report.getJSONArray("rows").getJSONObject(0)
            assertEquals("tiny.tflite", row.get("artifact"))
            assertEquals(6, row.getJSONObject("measured").get("matched"))
            assertEquals(1e-4, row.getJSONObject("limits").get("score"))
            assertEquals(3, row.getJSONArray("milliseconds").length())
        }

    @Test
    fun aWrongScoreFailsTheReplayWithItsNumber() =
        runBlocking {
            val wrong = copyOf(right).also { it.scores[0] -= 0.1f }
            val replay = open(wrong).use { Replay.of(it, goldens) }
            val said =
                "a score is up to 0.1 off in 99% of the pairs (the worst: 0.1), the limit is 0.0001 (worst label: 1)"
            assertEquals(listOf(said), replay.problems)
            assertEquals(false, Replay.report("folder", "a test", listOf(replay)).get("passed"))
        }

    @Test
    fun nothingReplayedIsNotPassed() {
        assertEquals(false, Replay.report("folder", "a test", emptyList()).get("passed"))
    }

    @Test
    fun framesFromManyThreadsAreTakenOneAfterAnother() =
        runBlocking {
            open(right).use { detector ->
                List(20) { async { detector.detect(goldens[0].frame).size } }.awaitAll().forEach { assertEquals(2, it) }
                assertEquals(1, detector.mostAtOnce)
                assertContentEquals(right.boxes, detector.detect(goldens[0].frame).boxes)
            }
        }

    @Test
    fun whatWasFoundStaysWhenTheNextFrameIsDetected() =
        runBlocking {
            open(right).use { detector ->
                val first = detector.detect(goldens[0].frame)
                detector.next = Detections(right.size)
                detector.detect(goldens[0].frame)
                assertContentEquals(right.scores, first.scores)
                assertContentEquals(right.boxes, first.boxes)
            }
        }

    @Test
    fun aLabelWithoutANameIsRefusedWhereItAppears() =
        runBlocking {
            val strange = copyOf(right).also { it.labels[1] = 80 }
            open(strange).use { detector ->
                val said = assertFailsWith<DetectorException> { detector.detect(goldens[0].frame) }.message
                assertEquals(
                    "label 80 has no name, expected 0 to 1; use the label list that the model was trained with",
                    said,
                )
            }
        }

    @Test
    fun aRuntimesOwnErrorNamesTheFile() =
        runBlocking {
            open(right, fail = IllegalStateException("error 42.\nmore")).use { detector ->
                val said = assertFailsWith<DetectorException> { detector.detect(goldens[0].frame) }.message
                val path = File(folder, "tiny.tflite")
                assertEquals(
                    "'$path' is no whole .tflite file that runs here (error 42); export or copy it again",
                    said,
                )
            }
        }

    @Test
    fun closingFreesTheRuntime() {
        val detector = open(right)
        repeat(2) { detector.close() }
        assertTrue(detector.released.await(10, TimeUnit.SECONDS))
        assertFailsWith<CancellationException> { runBlocking { detector.detect(goldens[0].frame) } }
    }

    @Test
    fun whatIsOpenedForACancelledCallerIsFreed() =
        runBlocking {
            val (begun, cancelled) = List(2) { CountDownLatch(1) }
            lateinit var detector: Fake
            val opening =
                launch(Dispatchers.Default) {
                    ThreadDetector.onOwnThread {
                        begun.countDown()
                        cancelled.await(10, TimeUnit.SECONDS)
                        Fake(it, right, null).also { opened -> detector = opened }
                    }
                }
            assertTrue(begun.await(10, TimeUnit.SECONDS))
            opening.cancel()
            cancelled.countDown()
            opening.join()
            assertTrue(detector.released.await(10, TimeUnit.SECONDS))
        }

    private fun copyOf(of: Detections) = Detections(of.boxes.copyOf(), of.scores.copyOf(), of.labels.copyOf())

    private fun open(
        detections: Detections,
        fail: Exception? = null,
    ) = runBlocking { ThreadDetector.onOwnThread { Fake(it, detections, fail) } }

    private inner class Fake(
        thread: ExecutorCoroutineDispatcher,
        var next: Detections,
        private val fail: Exception?,
    ) : ThreadDetector(manifest, manifest.files.first(), thread) {
        override val runsOn = "a test"
        override val fallbacks = emptyList<String>()
        val released = CountDownLatch(1)
        var mostAtOnce = 0
        private var atOnce = 0

        override fun run(input: ByteArray): Detections {
            fail?.let { throw it }
            mostAtOnce = maxOf(mostAtOnce, ++atOnce)
            Thread.sleep(1)
            atOnce--
            return copyOf(next)
        }

        override fun release() = released.countDown()
    }
}
