package org.deimv2.detector

import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import java.io.InputStream
import java.nio.file.Files
import kotlin.test.AfterTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

class ArtifactsTest {
    private val work: File = Files.createTempDirectory("assets").toFile()
    private val phone = File(work, "phone").apply { mkdirs() }
    private val assets = File(work, "assets")
    private var opened = 0
    private val copy = ArtifactCopy(::open) { File(assets, it).list().orEmpty().toList() }

    init {
        for (name in listOf(Manifest.NAME, "tiny.tflite", "golden/a.png")) {
            File(assets, "deimv2/$name").apply { parentFile?.mkdirs() }.writeText(name)
        }
    }

    @AfterTest
    fun delete() {
        work.deleteRecursively()
    }

    private fun open(path: String): InputStream {
        opened++
        return File(assets, path).inputStream()
    }

    @Test
    fun everythingIsCopiedOnce() {
        val target = copy.make("deimv2", phone)
        val files = target.walk().filter { it.isFile }.associate { it.toRelativeString(target) to it.readText() }
        assertEquals(setOf(Manifest.NAME, "tiny.tflite", "golden/a.png"), files.keys)
        assertTrue(files.all { (name, text) -> name == text })
        opened = 0
        copy.make("deimv2", phone)
        assertEquals(1, opened, "the manifest, to compare")
    }

    @Test
    fun anotherManifestMeansAnotherCopyWithoutWhatWasThere() {
        val target = copy.make("deimv2", phone)
        File(target, "old.tflite").writeText("")
        File(assets, "deimv2/${Manifest.NAME}").writeText("another")
        copy.make("deimv2", phone)
        assertEquals(listOf("golden", Manifest.NAME, "tiny.tflite"), target.list().orEmpty().sorted())
    }

    @Test
    fun anAppMayHoldSeveralExports() {
        File(assets, "femto/${Manifest.NAME}").apply { parentFile?.mkdirs() }.writeText("")
        File(assets, "images/logo.png").apply { parentFile?.mkdirs() }.writeText("")
        assertEquals(listOf("deimv2", "femto"), copy.folders())
        assets.deleteRecursively()
        assertEquals(listOf("deimv2"), copy.folders(), "whose sentence says what to do")
    }

    @Test
    fun anAppWithoutAnExportIsToBeBuiltAgain() {
        val said = assertFailsWith<DetectorException> { copy.make("other", phone) }.message.orEmpty()
        assertTrue(said.startsWith("the assets 'other' cannot be read ("), said)
        assertTrue(said.endsWith("run 'deimv2 app android' and build again"), said)
    }

    @Test
    fun aFileThatTheAppLacksIsNoFullDisk() {
        val gone =
            ArtifactCopy({ if (it.endsWith(".png")) throw FileNotFoundException(it) else open(it) }) {
                File(assets, it).list().orEmpty().toList()
            }
        val said = assertFailsWith<DetectorException> { gone.make("deimv2", phone) }.message.orEmpty()
        assertTrue(said.startsWith("the assets 'deimv2/golden/a.png' cannot be read ("), said)
    }

    @Test
    fun aFileThatBreaksWhileItIsReadIsNoFullDisk() {
        val broken =
            ArtifactCopy({ if (it.endsWith(".png")) Broken() else open(it) }) {
                File(assets, it).list().orEmpty().toList()
            }
        val said = assertFailsWith<DetectorException> { broken.make("deimv2", phone) }.message.orEmpty()
        assertTrue(said.startsWith("the assets 'deimv2/golden/a.png' cannot be read (broken)"), said)
    }

    private class Broken : InputStream() {
        override fun read(): Int = throw IOException("broken")
    }

    /** A file where the folder should be: what cannot be written says so, whatever the reason. */
    @Test
    fun aFullDiskIsSaidAndTheNextCopyIsWhole() {
        val full = File(work, "full").apply { writeText("") }
        val said = assertFailsWith<DetectorException> { copy.make("deimv2", full) }.message.orEmpty()
        assertTrue(said.startsWith("the assets 'deimv2' cannot be copied to this phone ("), said)
        assertTrue(said.endsWith("expected room for them; free some space"), said)
        full.delete()
        assertEquals(3, copy.make("deimv2", full).walk().count { it.isFile })
    }
}
