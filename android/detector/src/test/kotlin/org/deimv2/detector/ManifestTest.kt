package org.deimv2.detector

import org.json.JSONObject
import java.io.File
import kotlin.io.path.createTempDirectory
import kotlin.test.AfterTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNull
import kotlin.test.assertTrue

class ManifestTest {
    private val vectors = Vectors.json("manifests.json")
    private val good = File(Vectors.folder, vectors.getString("folder"))
    private val folder = createTempDirectory().toFile()

    @AfterTest
    fun clean() {
        folder.deleteRecursively()
    }

    @Test
    fun everyFaultIsToldInPythonsSentence() {
        val cases = vectors.getJSONArray("cases").objects { this }
        assertTrue(cases.size > 40)
        for (case in cases) {
            folder.deleteRecursively()
            good.copyRecursively(folder)
            apply(case.getJSONObject("changes"))
            val expected =
                if (case.isNull(
                        "sentence",
                    )
                ) {
                    null
                } else {
                    case.getString("sentence").replace("{folder}", folder.path)
                }
            assertEquals(expected, sentence(), case.getString("name"))
        }
    }

    @Test
    fun theManifestSaysWhatIsInIt() {
        val manifest = Manifest.read(good)
        assertEquals(listOf(32, 64), listOf(manifest.inputHeight, manifest.inputWidth))
        assertEquals(listOf("boxes", "scores", "labels"), manifest.outputs.map { it.name })
        assertEquals(2, manifest.queries)
        assertEquals(listOf("tflite", "pte", "mlpackage"), manifest.files.map { it.format })
        assertEquals(listOf(listOf("gpu", "cpu"), null, null), manifest.files.map { it.accelerators })
        assertEquals(listOf(Accelerator.GPU, Accelerator.CPU), Accelerator.of(manifest.files[0]))
        assertEquals(listOf(Accelerator.CPU), Accelerator.of(manifest.files[0].copy(accelerators = listOf("cpu"))))
        assertEquals(listOf(41.5, null, null), manifest.files.map { it.memoryMb })
        assertEquals(0.4f, manifest.scoreThreshold)
        assertEquals(3, manifest.golden.size)
    }

    @Test
    fun anExportWithoutAFileForAndroidIsRefused() {
        val manifest = Manifest.read(good)
        assertEquals(listOf("tflite", "pte"), manifest.runnable().map { it.format })
        val error = assertFailsWith<DetectorException> { manifest.copy(files = manifest.files.drop(2)).runnable() }
        assertEquals(
            "'$good' has no file for Android, expected a .tflite or a .pte; export with --format tflite",
            error.message,
        )
    }

    @Test
    fun aLabelWithoutANameIsRefused() {
        val manifest = Manifest.read(good)
        for (case in vectors.getJSONArray("labels").objects { this }) {
            val names = case.getJSONArray("names").map { getString(it) }
            val naming = manifest.copy(labels = names)
            val label = case.getInt("label")
            if (case.isNull("sentence")) {
                assertEquals(names[label], naming.nameOf(label))
            } else {
                assertEquals(
                    case.getString("sentence"),
                    assertFailsWith<DetectorException> { naming.nameOf(label) }.message,
                )
            }
        }
    }

    @Test
    fun aNameIsInTheLanguageWhereThereIsATranslation() {
        val manifest = Manifest.read(good)
        assertEquals(listOf("Hund", "cão", "dog"), listOf("de-CH", "pt-PT", "en").map { manifest.nameOf(1, it) })
        assertEquals("dog", manifest.nameOf(1))
        assertFailsWith<DetectorException> { manifest.nameOf(2, "de") }
    }

    @Test
    fun everyLanguageHasItsTranslation() {
        val cases = Vectors.json("languages.json").getJSONArray("cases").objects { this }
        assertTrue(cases.size > 20)
        for (case in cases) {
            val tags = case.getJSONArray("tags").map { getString(it) }
            val expected = if (case.isNull("expected")) null else case.getString("expected")
            assertEquals(expected, translationFor(tags, case.getString("language")), "$case")
        }
    }

    @Test
    fun whatAndroidsParserLetsPassIsNoJson() {
        assertNull(parse("{} trailing"))
        assertNull(parse("no quotes"))
        assertEquals("quoted", parse("\"quoted\""))
    }

    private fun sentence(): String? =
        try {
            val manifest = Manifest.read(folder)
            manifest.files.forEach { manifest.check(it) }
            manifest.golden.forEach { manifest.check(it) }
            null
        } catch (error: DetectorException) {
            error.message
        }

    private fun apply(changes: JSONObject) {
        for (name in changes.keys()) {
            val file = File(folder, name)
            if (changes.isNull(name)) file.delete() else file.writeText(changes.getString(name))
        }
    }
}
