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
    fun severalPhotosAddUp() {
        fun errors(vararg values: Double) = Errors.of(values.toList())
        val good = Parity(40, 40, errors(0.01, 0.0), errors(2e-5), worstLabel = 3, atCut = 1)
        val bad = Parity(20, 19, errors(0.002), errors(3e-5), worstLabel = 7, atCut = 0)
        val both = Parity(60, 59, errors(0.0, 0.002, 0.01), errors(2e-5, 3e-5), worstLabel = 7, atCut = 1)
        assertEquals(both, Parity.merge(listOf(good, bad)))
    }

    @Test
    fun ofManyPairsSomeAreLeftOut() {
        fun of(count: Int) = Errors.of(List(count) { it.toDouble() }).run { listOf(p50, p90, p99, worst) }
        assertEquals(listOf(9.0, 18.0, 18.0, 18.0), of(19))
        assertEquals(listOf(9.0, 17.0, 18.0, 19.0), of(20))
        assertEquals(listOf(124.0, 224.0, 247.0, 249.0), of(250))
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
        for ((number, text) in written) assertEquals(text, short(number))
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
            if (value is JSONObject) {
                assertSame(value, found.getJSONObject(key), "$name: $key")
            } else if (value is Number) {
                assertEquals(value.toDouble(), found.getDouble(key), 1e-9, "$name: $key")
            } else {
                assertEquals(value, found.get(key), "$name: $key")
            }
        }
    }
}
