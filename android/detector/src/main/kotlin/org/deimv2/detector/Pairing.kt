package org.deimv2.detector

import kotlin.math.abs

/**
 * Pairs the detections of two programs by label and place, whatever rows they stand in, in the two
 * rounds that `verification/matching.py` describes. Tables are [rows][columns].
 */
internal class Pairing(
    private val cost: Array<DoubleArray>,
) {
    /** Row -> column. */
    val partner = LinkedHashMap<Int, Int>()

    /** Round 1: as many pairs within the limits as there can be, by augmenting paths, cheapest neighbour first. */
    fun pairWithin(within: (Int, Int) -> Boolean) {
        val neighbours = cost.mapIndexed { i, row -> row.indices.sortedBy { row[it] }.filter { within(i, it) } }
        val owner = HashMap<Int, Int>()

        fun place(
            row: Int,
            visited: MutableSet<Int>,
        ): Boolean {
            neighbours[row].firstOrNull { it !in owner }?.let {
                owner[it] = row
                return true
            }
            for (column in neighbours[row]) {
                if (visited.add(column) && place(owner.getValue(column), visited)) { // its owner moves on
                    owner[column] = row
                    return true
                }
            }
            return false
        }

        neighbours.indices.forEach { place(it, HashSet()) }
        owner.forEach { (column, row) -> partner[row] = column }
    }

    /** Round 2: adds the pairs left over that are recognisably [same], cheapest first. */
    fun pairRest(same: (Int, Int) -> Boolean) {
        val taken = partner.values.toHashSet()
        val left =
            cost.indices.flatMap { i -> cost[i].indices.filter { same(i, it) }.map { i to it } }
        for ((row, column) in left.sortedBy { (i, j) -> cost[i][j] }) {
            if (row !in partner && taken.add(column)) partner[row] = column
        }
    }
}

/** Largest edge distance of all pairs, in pixels of a [height] x [width] input. */
internal fun edgeDistances(
    reference: Detections,
    actual: Detections,
    height: Int,
    width: Int,
) = table(reference, actual) { i, j ->
    (0 until 4).maxOf { edge ->
        val scale = (if (edge % 2 == 0) width else height).toDouble()
        abs(reference.boxes[4 * i + edge] * scale - actual.boxes[4 * j + edge] * scale)
    }
}

internal fun scoreDistances(
    reference: Detections,
    actual: Detections,
) = table(reference, actual) { i, j -> abs(reference.scores[i].toDouble() - actual.scores[j]) }

/** Intersection over union; 0 where both boxes are empty or one is not a number. */
internal fun iou(
    left: Detections,
    i: Int,
    right: Detections,
    j: Int,
): Double {
    fun edge(
        of: Detections,
        row: Int,
        index: Int,
    ) = of.boxes[4 * row + index].toDouble()

    fun area(
        of: Detections,
        row: Int,
    ) = (0 until 2).map { (edge(of, row, it + 2) - edge(of, row, it)).coerceAtLeast(0.0) }.let { (w, h) -> w * h }

    val shared =
        (0 until 2)
            .map {
                val end = minOf(edge(left, i, it + 2), edge(right, j, it + 2))
                (end - maxOf(edge(left, i, it), edge(right, j, it))).coerceAtLeast(0.0)
            }.let { (w, h) -> w * h }
    val union = area(left, i) + area(right, j) - shared
    return if (union > 0) shared / union else 0.0
}

private fun table(
    rows: Detections,
    columns: Detections,
    cell: (Int, Int) -> Double,
) = Array(rows.size) { i -> DoubleArray(columns.size) { j -> cell(i, j) } }
