package org.deimv2.detector

import org.json.JSONObject
import java.math.BigDecimal
import java.math.MathContext
import java.math.RoundingMode
import kotlin.math.abs
import kotlin.math.floor
import kotlin.math.min
import kotlin.math.roundToInt

/**
 * What an artifact of one precision must reach, and on which detections.
 *
 * [matchedShare] of the counted detections must have a partner; [boxPx] and [score] are the largest
 * errors of the pairs, of which a share [within] must keep them, and the worst [worst] times them (null:
 * any); detections above [minScore] count (null: all), and [least] of them must be there.
 */
data class Limits(
    val matchedShare: Double,
    val boxPx: Double,
    val score: Double,
    val minScore: Double? = null,
    val within: Double = 1.0,
    val least: Int = 0,
    val worst: Double? = null,
) {
    internal fun counted(scores: FloatArray) =
        BooleanArray(scores.size) { minScore == null || scores[it] > minScore.toFloat() }

    fun toJson(): JSONObject =
        JSONObject()
            .put("matched_share", matchedShare)
            .put("box_px", boxPx)
            .put("score", score)
            .put("min_score", minScore ?: JSONObject.NULL)
            .put("within", within)
            .put("least", least)
            .put("worst", worst ?: JSONObject.NULL)

    companion object {
        /** By precision; the reasons stand in `converters/precision.py`. */
        val OF =
            mapOf(
                "fp32" to Limits(1.0, boxPx = 0.05, score = 1e-4, within = 0.99, worst = 20.0),
                "fp16" to Limits(0.98, boxPx = 4.0, score = 0.08, minScore = 0.3, within = 0.9, least = 5),
                "int8" to Limits(0.95, boxPx = 12.0, score = 0.15, minScore = 0.3, within = 0.9, least = 20),
                "int8x16" to Limits(0.95, boxPx = 12.0, score = 0.15, minScore = 0.3, within = 0.9, least = 20),
                "int8-weight" to Limits(1.0, boxPx = 0.05, score = 1e-4, within = 0.99, worst = 20.0),
            )
    }
}

/**
 * Of the matched pairs: percentiles, and the largest. Of twenty or more, a percentile leaves out one at
 * least. [values]: the single ones.
 */
data class Errors(
    val p50: Double = 0.0,
    val p90: Double = 0.0,
    val p99: Double = 0.0,
    val worst: Double = 0.0,
    val values: List<Double> = emptyList(),
) {
    internal fun failure(
        kind: String,
        limit: Double,
        unit: String,
        limits: Limits,
    ): String? {
        fun text(value: Double) = short(value) + unit

        fun all(allowed: Double) = "a $kind is ${text(worst)} off, the limit is ${text(allowed)}"
        val largest = largest(limits.within)
        if (largest <= limit) return limits.worst?.takeIf { worst > it * limit }?.let { all(it * limit) }
        if (limits.within == 1.0) return all(limit)
        return "a $kind is up to ${text(largest)} off in ${(limits.within * 100).roundToInt()}% of the pairs " +
            "(the worst: ${text(worst)}), the limit is ${text(limit)}"
    }

    /** Of this share of the pairs, as [Limits] has it. */
    private fun largest(within: Double) =
        when (within) {
            1.0 -> worst
            0.99 -> p99
            else -> p90
        }

    fun toJson(): JSONObject =
        JSONObject()
            .put("p50", p50)
            .put("p90", p90)
            .put("p99", p99)
            .put("worst", worst)

    companion object {
        private const val FEW = 20

        /** Of the finite ones; what is not finite has a sentence of its own. */
        fun of(values: List<Double>): Errors {
            val found = values.filter { it.isFinite() }.sorted()
            if (found.isEmpty()) return Errors()
            val (p90, p99) = listOf(0.9, 0.99).map { found[found.size - 1 - excused(found.size, it)] }
            return Errors(found[(found.size - 1) / 2], p90, p99, found.last(), found)
        }

        /** How many of [count] need not hold where [share] must: of twenty or more, one at least. */
        internal fun excused(
            count: Int,
            share: Double,
        ): Int = if (share == 1.0 || count < FEW) 0 else maxOf(1, floor(count * (1 - share) + 1e-9).toInt())
    }
}

/** How far an artifact is from the reference; the same verdict as `verification/parity.py`. */
data class Parity(
    val counted: Int,
    val matched: Int,
    val boxPx: Errors,
    val score: Errors,
    val worstLabel: Int?,
    val atCut: Int,
    val bestFirst: Boolean = true,
    val finite: Boolean = true,
) {
    val matchedShare get() = if (counted == 0) 1.0 else matched.toDouble() / counted

    /** One sentence, with the number and its limit, for each thing that does not hold. */
    fun failures(limits: Limits): List<String> {
        val label = worstLabel?.let { " (worst label: $it)" }.orEmpty()
        return listOfNotNull(
            "some boxes or scores are not numbers, all must be finite".takeIf { !finite },
            "the detections are not ordered by score, they must be best first".takeIf { !bestFirst },
            "$atCut detections tie with the last one, the limit is as many as could be compared ($counted)"
                .takeIf { atCut > counted },
            (
                "only $counted detections above ${limits.minScore} to compare, " +
                    "expected ${limits.least} or more; take photographs of what the model detects"
            ).takeIf { counted < limits.least },
            (
                "$matched of $counted detections matched (${short(matchedShare)}), " +
                    "the limit is ${short(limits.matchedShare)}$label"
            ).takeIf { counted - matched > Errors.excused(counted, limits.matchedShare) },
            boxPx.failure("box", limits.boxPx, " px", limits)?.plus(label),
            score.failure("score", limits.score, "", limits)?.plus(label),
        )
    }

    fun toJson(): JSONObject =
        JSONObject()
            .put("counted", counted)
            .put("matched", matched)
            .put("matched_share", matchedShare)
            .put("box_px", boxPx.toJson())
            .put("score", score.toJson())
            .put("worst_label", worstLabel ?: JSONObject.NULL)
            .put("at_cut", atCut)
            .put("best_first", bestFirst)
            .put("finite", finite)

    companion object {
        private const val SAME_IOU = 0.5
        private const val SAME_PX = 1.0
        private const val ROUNDING = 1e-6f

        /** [actual] against [reference] on one frame; [candidates]: the reference's next ones, after its last place. */
        fun compare(
            reference: Detections,
            actual: Detections,
            height: Int,
            width: Int,
            limits: Limits,
            candidates: Detections? = null,
        ): Parity {
            val pool = if (candidates == null) reference else reference + candidates
            val pixels = edgeDistances(pool, actual, height, width)
            val scores = scoreDistances(pool, actual)

            fun alike(
                i: Int,
                j: Int,
            ) = pool.labels[i] == actual.labels[j]
            val cost =
                Array(pool.size) { i ->
                    DoubleArray(actual.size) { j -> pixels[i][j] / limits.boxPx + scores[i][j] / limits.score }
                }
            val pairing = Pairing(cost)
            pairing.pairWithin { i, j -> alike(i, j) && pixels[i][j] <= limits.boxPx && scores[i][j] <= limits.score }

            val near = min(limits.score, 2 * Errors.of(pairing.partner.map { (i, j) -> scores[i][j] }).worst)
            val cutHere = cut(reference, actual, near)
            val cutThere = if (candidates == null) cut(actual, reference, near) else BooleanArray(actual.size)
            pairing.pairRest { i, j ->
                val bothCut = cutHere.at(i) && cutThere[j]
                val overlap = !bothCut && iou(pool, i, actual, j) >= SAME_IOU
                alike(i, j) && (pixels[i][j] <= SAME_PX || overlap)
            }

            val here = limits.counted(reference.scores)
            val there = limits.counted(actual.scores)
            val pairs = pairing.partner.toList().filter { (i, j) -> here.at(i) || there[j] }
            val lost = here.indices.filter { here[it] && it !in pairing.partner }
            val found = pairing.partner.values.toHashSet()
            val extra = there.indices.filter { there[it] && it !in found }
            val (lostAtCut, reallyLost) = lost.partition { cutHere[it] }
            val (extraAtCut, reallyExtra) = extra.partition { cutThere[it] }
            return Parity(
                counted = pairs.size + maxOf(reallyLost.size, reallyExtra.size),
                matched = pairs.size,
                boxPx = Errors.of(pairs.map { (i, j) -> pixels[i][j] }),
                score = Errors.of(pairs.map { (i, j) -> scores[i][j] }),
                worstLabel =
                    worstLabel(
                        reallyLost.map { pool.labels[it] } + reallyExtra.map { actual.labels[it] },
                        pairs.map { (i, j) -> cost[i][j] to pool.labels[i] },
                    ),
                atCut = lostAtCut.size + extraAtCut.size,
                bestFirst = (1 until actual.size).all { actual.scores[it] - actual.scores[it - 1] <= ROUNDING },
                finite = actual.boxes.all { it.isFinite() } && actual.scores.all { it.isFinite() },
            )
        }

        /** Over several photographs: counts add up, and all errors stay. */
        fun merge(parities: List<Parity>): Parity {
            if (parities.isEmpty()) {
                throw DetectorException(
                    "0 parities to merge, expected one per photo; give at least one photo",
                )
            }
            val order = compareBy<Parity>({ it.counted - it.matched }, { it.boxPx.worst }, { it.score.worst })
            return Parity(
                counted = parities.sumOf { it.counted },
                matched = parities.sumOf { it.matched },
                boxPx = Errors.of(parities.flatMap { it.boxPx.values }),
                score = Errors.of(parities.flatMap { it.score.values }),
                worstLabel = parities.maxWith(order).worstLabel,
                atCut = parities.sumOf { it.atCut },
                bestFirst = parities.all { it.bestFirst },
                finite = parities.all { it.finite },
            )
        }

        /** Which of [mine] tie, within [near], with the last place of [other]; lists of other lengths are cut elsewhere. */
        private fun cut(
            mine: Detections,
            other: Detections,
            near: Double,
        ): BooleanArray {
            if (mine.size != other.size || mine.size == 0) return BooleanArray(mine.size)
            val last = (other.scores.min() + near).toFloat()
            return BooleanArray(mine.size) { mine.scores[it] <= last }
        }

        private fun worstLabel(
            unmatched: List<Int>,
            pairs: List<Pair<Double, Int>>,
        ): Int? {
            val counts = unmatched.groupingBy { it }.eachCount().entries
            counts.maxWithOrNull(compareBy({ it.value }, { -it.key }))?.let { return it.key }
            val (cost, label) =
                pairs.filter { it.first.isFinite() }.maxWithOrNull(compareBy({ it.first }, { it.second }))
                    ?: return null
            return label.takeIf { cost > 0 }
        }

        private fun BooleanArray.at(index: Int) = index < size && this[index]
    }
}

/** Four significant digits, as Python's `.4g` writes them. */
internal fun short(value: Double): String {
    if (value == 0.0) return "0"
    val rounded = BigDecimal(value).round(MathContext(4, RoundingMode.HALF_EVEN)).stripTrailingZeros()
    val exponent = rounded.precision() - rounded.scale() - 1
    if (exponent in -4..3) return rounded.toPlainString()
    val digits = rounded.movePointLeft(exponent).toPlainString()
    return "${digits}e${if (exponent < 0) "-" else "+"}${abs(exponent).toString().padStart(2, '0')}"
}
