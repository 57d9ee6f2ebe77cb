package org.deimv2.detector

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.joinAll
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import kotlinx.coroutines.yield
import java.io.File
import java.nio.file.Files
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNull
import kotlin.test.assertTrue

/** What is remembered of accelerators, also after a death of the process. */
class TrialsTest {
    private val file = File(Files.createTempDirectory("trials").toFile(), "new/trials.json")

    /** As the next start of the app has them, where the system says [death] of the process before. */
    private fun next(
        death: Death = Death.DRIVER,
        device: String = "phone, Android 16",
    ) = Trials(file, device, pid = 42) { pid, begun ->
        if (pid == 42 && System.currentTimeMillis() - begun in 0..60_000) death else Death.OTHER
    }

    private fun Trials.seven(
        sha256: String = "a",
        accelerator: String = "GPU",
    ) = runBlocking { run(sha256, accelerator) { 7 } }

    /** The process ends in the middle of a trial: nothing crosses it out. */
    private fun die(trials: Trials) {
        val atDeath = runBlocking { trials.run("a", "GPU") { file.readText() } }
        file.writeText(atDeath)
    }

    private fun assertRefused(trials: Trials) {
        val said = assertFailsWith<DetectorException> { trials.seven() }.message
        assertEquals("it ended this app's process when it was tried; Trials.forget() allows it again", said)
    }

    @Test
    fun aTrialThatEndsLeavesNothing() {
        assertEquals(7, next().seven())
        assertFailsWith<DetectorException> {
            runBlocking { next().run("a", "GPU") { throw DetectorException("no") } }
        }
        assertEquals(7, next().seven())
    }

    @Test
    fun aTrialThatEndsTheProcessIsNotRepeated() {
        die(next())
        assertRefused(next())
        // another processor, another file, and the same after an update of system or app
        assertEquals(7, next().seven(accelerator = "CPU"))
        assertEquals(7, next().seven(sha256 = "b"))
        assertRefused(next())
        assertEquals(7, next(device = "phone, Android 17").seven())
    }

    @Test
    fun aRefusalNamesTheAcceleratorWhereItsCallerDoesNot() {
        die(next())
        val refused = runCatching { runBlocking { next().run("a", "GPU", subject = "GPU") {} } }.exceptionOrNull()
        assertTrue(refused?.message.orEmpty().startsWith("GPU ended this app's process"), "$refused")
    }

    /** The system keeps its records of deaths for a while only. */
    @Test
    fun aVerdictOutlivesWhatTheSystemSaysOfTheDeath() {
        die(next())
        assertRefused(next(Death.DRIVER))
        assertRefused(next(Death.UNCLEAR))
        assertRefused(next(Death.OTHER))
    }

    @Test
    fun aDeathThatNobodyExplainsCountsTheSecondTimeInARow() {
        die(next())
        die(next(Death.UNCLEAR))
        assertRefused(next(Death.UNCLEAR))
    }

    @Test
    fun aTrialThatEndsWellBetweenTwoSuchDeathsClearsIt() {
        repeat(3) {
            die(next())
            assertEquals(7, next(Death.UNCLEAR).seven())
        }
    }

    @Test
    fun aTrialThatIsCancelledSaysNothing() {
        val cancel = { trials: Trials ->
            runBlocking {
                launch(start = CoroutineStart.UNDISPATCHED) { trials.run("a", "GPU") { awaitCancellation() } }.cancel()
            }
        }
        cancel(next())
        die(next(Death.DRIVER))
        cancel(next(Death.UNCLEAR))
        die(next(Death.DRIVER))
        assertRefused(next(Death.UNCLEAR))
    }

    @Test
    fun aProcessThatTheUserEndedSaysNothing() {
        repeat(3) { die(next(Death.OTHER)) }
        assertEquals(7, next(Death.OTHER).seven())
    }

    @Test
    fun theCpuIsNotWrittenDown() {
        runBlocking { next().run("a", "CPU") { assertFalse(file.exists()) } }
        runBlocking { next().run("a", "GPU") { assertTrue(file.exists()) } }
    }

    @Test
    fun whatEndedTheProcessMayBeTriedAgainOnDemand() {
        die(next())
        assertRefused(next())
        runBlocking { next().forget() }
        assertEquals(7, next().seven())
    }

    @Test
    fun onlyAnotherTrialWaitsForOneThatRuns() =
        runBlocking {
            val trials = next()
            val end = CompletableDeferred<Unit>()
            val order = mutableListOf<String>()
            val first =
                launch(start = CoroutineStart.UNDISPATCHED) {
                    trials.run("a", "GPU") { end.await() }
                    order += "first"
                }
            val second = launch { trials.run("b", "GPU") { order += "second" } }
            withTimeout(10_000) { trials.forget() }
            assertNull(trials.chosen("a"))
            yield()
            assertEquals(emptyList(), order)
            end.complete(Unit)
            joinAll(first, second)
            assertEquals(listOf("first", "second"), order)
        }

    @Test
    fun whatTheSystemSaysOfADeathIsWeighed() {
        val crash = 5
        val signal = 2
        val (segv, kill) = 11 to 9
        assertEquals(listOf(Death.DRIVER, Death.DRIVER), listOf(Death.of(crash, segv, 0), Death.of(signal, segv, 0)))
        assertEquals(Death.UNCLEAR, Death.of(signal, kill, 0))
        val (unknown, exit, memory, anr) = listOf(0, 1, 3, 6)
        for (reason in listOf(unknown, exit, memory, anr)) assertEquals(Death.UNCLEAR, Death.of(reason, 0, 0))
        val (java, user, stopped, updated) = listOf(4, 10, 11, 16)
        for (reason in listOf(java, user, stopped, updated)) assertEquals(Death.OTHER, Death.of(reason, 0, 60_000))
        assertEquals(Death.UNCLEAR, Death.of(user, 0, 60_001)) // of an app that hangs
        assertEquals(Death.OTHER, Death.of(updated, 0, 60_001))
    }

    @Test
    fun aDelegateOnTheCpuHasNoDriver() {
        assertEquals("CPU", Trials.acceleratorOf(emptyList()))
        assertEquals("CPU", Trials.acceleratorOf(listOf("XnnpackBackend")))
        assertEquals("VulkanBackend", Trials.acceleratorOf(listOf("XnnpackBackend", "VulkanBackend")))
    }

    @Test
    fun aFileThatIsDamagedOrCannotBeWrittenIsNoProblem() {
        file.parentFile.mkdirs()
        for (damaged in listOf("{\"device\"", """{"device": "phone, Android 16", "running": {}}""")) {
            file.writeText(damaged)
            assertEquals(7, next().seven())
        }
        val nowhere = Trials(File("/proc/trials/trials.json"), "phone", pid = 42) { _, _ -> Death.OTHER }
        assertEquals(7, nowhere.seven())
    }

    @Test
    fun theChoiceIsKept() {
        assertNull(next().chosen("a"))
        val choice = Choice("GPU", failed = listOf("X: a score is off"), slower = listOf("CPU: slow"))
        next().choose("a", choice)
        assertEquals(choice, next().chosen("a"))
        assertNull(next().chosen("b"))
        assertNull(next(device = "phone, Android 17").chosen("a"))
    }

    @Test
    fun theFastestThatPassesIsChosen() {
        val rows = mapOf("GPU" to replay(9.0), "CPU" to replay(20.0), "X" to replay(1.0, "a score is off"))
        assertEquals(
            Choice(
                "GPU",
                failed = listOf("X: a score is off", "Y: does not compile"),
                slower = listOf("CPU: 20.0 ms, GPU takes 9.0"),
            ),
            choose(listOf("X", "Y", "GPU", "CPU"), rows),
        )
        val said = assertFailsWith<DetectorException> { choose(listOf("X", "Y"), rows) }.message.orEmpty()
        assertTrue("X: a score is off; Y: does not compile" in said && '\n' !in said, said)
    }

    private fun choose(
        names: List<String>,
        rows: Map<String, Replay>,
    ) = runBlocking { Choice.ofFastest(names) { rows[it] ?: throw DetectorException("does not compile") } }

    private fun replay(
        median: Double,
        vararg problems: String,
    ) = Replay(
        artifact = "a.tflite",
        against = "",
        runsOn = "",
        problems = problems.toList(),
        milliseconds = listOf(median + 50, median, median - 1),
    ).also { assertFalse(it.passed && problems.isNotEmpty()) }
}
