package org.deimv2.camera

import org.deimv2.detector.Detections
import org.deimv2.detector.Manifest
import org.deimv2.detector.OutputSpec
import org.deimv2.detector.Tracker
import java.io.File
import java.util.Locale
import kotlin.test.AfterTest
import kotlin.test.Test
import kotlin.test.assertEquals

class FoundTest {
    private val ofMachine = Locale.getDefault().also { Locale.setDefault(Locale.ROOT) }
    private val manifest =
        Manifest(
            folder = File("."),
            variant = "atto",
            precision = "fp32",
            inputName = "image",
            inputHeight = 32,
            inputWidth = 32,
            outputs = listOf(OutputSpec("boxes", listOf(1, 3, 4))),
            labels = listOf("cat", "dog"),
            files = emptyList(),
            golden = emptyList(),
            scoreThreshold = 0.4f,
            translations = mapOf("de" to listOf("Katze", "Hund")),
        )
    private val detections =
        Detections(
            floatArrayOf(0f, 0f, 1f, 1f, 0f, 0f, 1f, 1f, 0f, 0f, .5f, .5f),
            floatArrayOf(.9f, .8f, .3f),
            intArrayOf(0, 1, 1),
        )

    @AfterTest
    fun restore() = Locale.setDefault(ofMachine)

    @Test
    fun anObjectIsShownOnceAndOnlyAboveTheThreshold() {
        val found = Found(manifest, detections, 0.0)
        assertEquals(listOf(0), found.shown(0.4f))
        assertEquals(listOf(0, 2), found.shown(0.2f))
        assertEquals("Hund 0.30", found.captionOf(2, "de-CH"))
    }

    @Test
    fun whereObjectsAreFollowedThoseOfATrackAreShown() {
        val found = Found(manifest, detections, 0.0, intArrayOf(7, Tracker.NONE, 8))
        assertEquals(listOf(0, 2), found.shown(0.4f))
        assertEquals("#7 cat 0.90", found.captionOf(0, "en"))
    }
}
