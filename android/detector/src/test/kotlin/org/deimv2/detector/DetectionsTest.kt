package org.deimv2.detector

import org.json.JSONArray
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

class DetectionsTest {
    @Test
    fun boxesLieInTheFrameWherePythonPutsThem() {
        val cases = Vectors.json("boxes.json").getJSONArray("cases").objects { this }
        assertTrue(cases.size > 20)
        for (case in cases) {
            val detections = Detections(1)
            case.floats("box").toFloatArray().copyInto(detections.boxes)
            val found = detections.toFrame(0, case.getInt("width"), case.getInt("height"), case.getInt("rotation"))
            case.floats("pixels").zip(found.toList()).forEach { (expected, edge) ->
                assertEquals(expected, edge, 1e-3f, case.toString())
            }
        }
    }

    @Test
    fun anUnknownRotationIsRefused() {
        assertFailsWith<DetectorException> { Detections(1).toFrame(0, 4, 4, 45) }
    }

    @Test
    fun onlyScoresAboveTheThresholdCount() {
        val detections = Detections(FloatArray(16), floatArrayOf(0.9f, 0.5f, 0.4f, 0.1f), IntArray(4))
        assertEquals(listOf(4, 2, 1, 0), listOf(0f, 0.4f, 0.5f, 0.9f).map(detections::countAbove))
    }

    @Test
    fun partsOfOtherLengthsAreRefused() {
        assertFailsWith<DetectorException> { Detections(FloatArray(8), FloatArray(2), IntArray(1)) }
        assertEquals(0, Detections.of(JSONArray()).size)
    }

    private fun org.json.JSONObject.floats(name: String) = getJSONArray(name).map { getDouble(it).toFloat() }
}
