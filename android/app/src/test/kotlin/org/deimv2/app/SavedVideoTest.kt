package org.deimv2.app

import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import java.io.File
import java.io.IOException
import java.nio.file.Files
import kotlin.test.AfterTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

class SavedVideoTest {
    private val folder: File = Files.createTempDirectory("videos").toFile()

    @AfterTest
    fun delete() {
        folder.deleteRecursively()
    }

    private fun left() = folder.list().orEmpty().toList()

    @Test
    fun theFileIsThereWhileItIsWrittenAndGoneAfterwards() {
        val bytes =
            runBlocking {
                withTemporaryFile(folder) {
                    it.writeText("frames")
                    it.length()
                }
            }
        assertEquals(6, bytes)
        assertEquals(emptyList(), left())
    }

    @Test
    fun nothingIsLeftOfAFailure() {
        assertFailsWith<IOException> {
            runBlocking {
                withTemporaryFile(folder) {
                    it.writeText("half a video")
                    throw IOException("no space left on device")
                }
            }
        }
        assertEquals(emptyList(), left())
    }

    @Test
    fun nothingIsLeftWhenItIsStopped() =
        runBlocking {
            val job =
                launch(Dispatchers.Unconfined, CoroutineStart.UNDISPATCHED) {
                    withTemporaryFile(folder) {
                        it.writeText("half a video")
                        awaitCancellation()
                    }
                }
            assertEquals(1, left().size)
            job.cancelAndJoin()
            assertEquals(emptyList(), left())
        }

    @Test
    fun whatAKilledProcessLeftGoesADayLater() {
        val day = 24 * 60 * 60 * 1000L
        for ((name, age) in listOf("unfinished-old.mp4" to 2 * day, "unfinished-new.mp4" to 0L, "kernels" to 2 * day)) {
            File(folder, name).apply { writeText("") }.setLastModified(System.currentTimeMillis() - age)
        }
        runBlocking { withTemporaryFile(folder) { } }
        assertEquals(listOf("kernels", "unfinished-new.mp4"), left().sorted())
    }

    @Test
    fun whereNoFileCanBeMadeItIsNotSaved() {
        folder.deleteRecursively()
        assertFailsWith<NotSavedException> { runBlocking { withTemporaryFile(folder) { } } }
    }

    @Test
    fun whateverTheGalleryThrowsIsNotSaved() {
        val thrown = listOf(IOException(), IllegalStateException(), IllegalArgumentException())
        for (error in thrown) {
            val caught = assertFailsWith<NotSavedException> { saving { throw error } }
            assertEquals(error, caught.cause)
        }
    }

    @Test
    fun timesAreKeptWhereTheMuxerTakesThem() {
        val times = MuxerTimes()
        val kept = listOf(0L, 33_366L, 66_733L, 1_000_000L)
        assertEquals(kept, kept.map(times::next))
    }

    @Test
    fun timesRiseFromZero() {
        val times = MuxerTimes()
        val told = listOf(-40_000L, -20_000L, 0L, 20_000L, 20_000L, 10_000L, 60_000L)
        val given = told.map(times::next)
        assertEquals(listOf(0L, 1L, 2L, 20_000L, 20_001L, 20_002L, 60_000L), given)
        assertTrue(given.zipWithNext().all { (before, after) -> after > before })
    }
}
