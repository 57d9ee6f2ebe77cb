package org.deimv2.detector

import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue

class TrackerTest {
    @Test
    fun idsAreThoseOfPython() {
        val cases = Vectors.json("tracks.json").getJSONArray("cases").objects { this }
        assertTrue(cases.size > 5)
        for (case in cases) {
            val tracker = Tracker()
            val threshold = case.getDouble("threshold").toFloat()
            case.getJSONArray("frames").objects { this }.forEachIndexed { frame, row ->
                val found = Detections.of(row.getJSONArray("detections"))
                val ids = row.getJSONArray("ids").map { if (isNull(it)) Tracker.NONE else getInt(it) }
                val place = "${case.getString("name")}, frame $frame"
                assertEquals(ids, tracker.update(found, threshold).toList(), place)
            }
        }
    }

    @Test
    fun otherLabelsOfABoxAreRepeated() {
        val boxes = floatArrayOf(0f, 0f, 1f, 1f, 0f, 0f, 1f, 0.5f, 0f, 0f, 1f, 1f)
        val found = Detections(boxes, floatArrayOf(0.9f, 0.8f, 0.7f), intArrayOf(0, 0, 1))
        assertEquals(listOf(false, false, true), (0 until 3).map(found::isRepeated))
    }
}
