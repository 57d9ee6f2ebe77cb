package org.deimv2.detector

import kotlinx.coroutines.runBlocking
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

    /** As the next start of the app has them. */
    private fun next(device: String = "phone, Android 16") = Trials(file, device)

    @Test
    fun aTrialThatEndsLeavesNothing() {
        assertEquals(7, next().run("a", "GPU") { 7 })
        assertFailsWith<DetectorException> { next().run("a", "GPU") { throw DetectorException("no") } }
        assertEquals(emptyList(), next().ended("a"))
    }

    @Test
    fun aTrialThatEndsTheProcessIsNotRepeated() {
        val atDeath = next().run("a", "GPU") { file.readText() }
        file.writeText(atDeath) // the process ended in the middle: nothing crossed the trial out
        val said = assertFailsWith<DetectorException> { next().run("a", "GPU") { 7 } }.message.orEmpty()
        assertTrue("ended this app's process" in said && "forget" in said, said)
        assertEquals(listOf("GPU"), next().ended("a"))
        // another processor, another file, and the same after a system update
        assertEquals(7, next().run("a", "CPU") { 7 })
        assertEquals(7, next().run("b", "GPU") { 7 })
        assertEquals(7, next("phone, Android 17").run("a", "GPU") { 7 })
    }

    @Test
    fun whatEndedTheProcessMayBeTriedAgainOnDemand() {
        file.parentFile.mkdirs()
        file.writeText("""{"device": "phone, Android 16", "running": "a GPU"}""")
        assertEquals(listOf("GPU"), next().ended("a"))
        next().forget()
        assertEquals(7, next().run("a", "GPU") { 7 })
    }

    @Test
    fun aFileThatIsDamagedOrCannotBeWrittenIsNoProblem() {
        file.parentFile.mkdirs()
        file.writeText("{\"device\"")
        assertEquals(7, next().run("a", "GPU") { 7 })
        val nowhere = Trials(File("/proc/trials/trials.json"), "phone")
        assertEquals(7, nowhere.run("a", "GPU") { 7 })
    }

    @Test
    fun theChoiceIsKept() {
        assertNull(next().chosen("a"))
        next().choose("a", Choice("GPU", listOf("CPU: slow")))
        assertEquals(Choice("GPU", listOf("CPU: slow")), next().chosen("a"))
        assertNull(next().chosen("b"))
        assertNull(next("phone, Android 17").chosen("a"))
    }

    @Test
    fun theFastestThatPassesIsChosen() {
        val rows = mapOf("GPU" to replay(9.0), "CPU" to replay(20.0), "X" to replay(1.0, "a score is off"))
        assertEquals(
            Choice("GPU", listOf("X: a score is off", "Y: does not compile", "CPU: 20.0 ms, GPU takes 9.0")),
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
