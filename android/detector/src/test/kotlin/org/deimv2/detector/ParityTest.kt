package org.deimv2.detector

import org.json.JSONObject
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue

class ParityTest {
    private val vectors = Vectors.json("parity.json")
    private val cases = vectors.getJSONArray("cases").objects { this }

    @Test
    fun theLimitsArePythons() {
        val limits = vectors.getJSONObject("limits")
        assertEquals(limits.keys().asSequence().toSet(), Limits.OF.keys)
        for ((precision, ours) in Limits.OF) assertSame(limits.getJSONObject(precision), ours.toJson(), precision)
    }

    @Test
    fun theVerdictIsPythons() {
        assertTrue(cases.size > 20)
        for (case in cases) {
            for ((precision, limits) in Limits.OF) {
                val name = "${case.getString("name")} ($precision)"
                val verdict = case.getJSONObject("verdicts").getJSONObject(precision)
                val parity = parity(case, limits)
                assertSame(verdict.getJSONObject("numbers"), parity.toJson(), name)
                assertEquals(verdict.getJSONArray("failures").map { getString(it) }, parity.failures(limits), name)
            }
        }
    }

    @Test
    fun severalPhotosKeepTheWorst() {
        val good = Parity(counted = 40, matched = 40, boxPx = 0.01, score = 2e-5, worstLabel = 3, atCut = 1)
        val bad = Parity(counted = 20, matched = 19, boxPx = 0.002, score = 3e-5, worstLabel = 7, atCut = 0)
        assertEquals(Parity(60, 59, 0.01, 3e-5, worstLabel = 7, atCut = 1), Parity.merge(listOf(good, bad)))
    }

    @Test
    fun numbersAreWrittenAsPythonWritesThem() {
        val written =
            mapOf(
                0.0 to "0",
                1.0 to "1",
                0.95833 to "0.9583",
                14.694 to "14.69",
                1e-4 to "0.0001",
                12345.0 to "1.234e+04",
                2e-5 to "2e-05",
            )
        for ((number, text) in written) assertEquals(text, Parity.short(number))
    }

    private fun parity(
        case: JSONObject,
        limits: Limits,
    ): Parity {
        val (height, width) = case.getJSONArray("size").map { getInt(it) }
        val candidates = case.optJSONArray("candidates")?.let(Detections::of)
        val reference = Detections.of(case.getJSONArray("reference"))
        return Parity.compare(reference, Detections.of(case.getJSONArray("actual")), height, width, limits, candidates)
    }

    private fun assertSame(
        expected: JSONObject,
        found: JSONObject,
        name: String,
    ) {
        assertEquals(expected.keys().asSequence().toSet(), found.keys().asSequence().toSet(), name)
        for (key in expected.keys()) {
            val value = expected.get(key)
            if (value is Number) {
                assertEquals(value.toDouble(), found.getDouble(key), 1e-9, "$name: $key")
            } else {
                assertEquals(value, found.get(key), "$name: $key")
            }
        }
    }
}
