package org.deimv2.detector

/**
 * Ids that stay with an object over the frames of one camera or video: ByteTrack, as
 * `api/tracking.py` describes it, on the same vectors. For one thread.
 */
class Tracker {
    private var tracks = emptyList<Track>()
    private var ids = 0
    private var first = true

    /**
     * The id, from 1, of each detection of the next frame; [NONE] for those of no track.
     *
     * [found]: best first, down to scores of 0.1, which keep tracks alive. Only what scores above
     * [threshold] begins a track, which gets its id in the second frame that it is seen in (in the
     * first frame of all, at once). Several labels on one box are one object, that of the best.
     */
    fun update(
        found: Detections,
        threshold: Float,
    ): IntArray {
        tracks.forEach(Track::predict)
        val given = IntArray(found.size)
        val rows = (0 until found.size).filter { found.scores[it] > LOW_SCORE && !found.isRepeated(it) }
        val (high, low) = rows.partition { found.scores[it] > threshold }
        val (known, new) = tracks.partition { it.id != NONE }
        match(known, high, OVERLAP, found, given)
        match(known.filter { it.unseen == 1 }, low, LOW_SCORE_OVERLAP, found, given)
        match(new, high.filter { given[it] == NONE }, NEW_OVERLAP, found, given)
        val begun = high.filter { given[it] == NONE }.map { it to Track(found, it) }
        if (first) begun.forEach { (row, track) -> given[row] = name(track) }
        first = false
        tracks = tracks.filter { it.unseen == 0 || (it.id != NONE && it.unseen <= UNSEEN) } + begun.map { it.second }
        return given
    }

    private fun match(
        tracks: List<Track>,
        rows: List<Int>,
        least: Double,
        found: Detections,
        given: IntArray,
    ) {
        val expected = Detections(tracks.size)
        tracks.forEachIndexed { i, track -> track.box().copyInto(expected.boxes, 4 * i) }
        val cost = Array(tracks.size) { i -> DoubleArray(rows.size) { j -> -iou(expected, i, found, rows[j]) } }
        val pairing = Pairing(cost)
        pairing.pairRest { i, j -> -cost[i][j] > least }
        for ((i, j) in pairing.partner) {
            tracks[i].correct(found, rows[j])
            given[rows[j]] = name(tracks[i])
        }
    }

    private fun name(track: Track): Int {
        if (track.id == NONE) track.id = ++ids
        return track.id
    }

    companion object {
        const val NONE = 0
        internal const val LOW_SCORE = 0.1f
        private const val OVERLAP = 0.2
        private const val NEW_OVERLAP = 0.3
        private const val LOW_SCORE_OVERLAP = 0.5
        private const val UNSEEN = 30
    }
}

/** A box on its way. [unseen]: frames since it was matched; [id]: NONE until it is seen twice. */
private class Track(
    found: Detections,
    row: Int,
) {
    var id = Tracker.NONE
    var unseen = 0
    private val motions =
        measured(found, row).let { values -> List(values.size) { Motion(values[it], side(it, values)) } }

    fun box(): FloatArray {
        val (x, y, w, h) = values().toList()
        return floatArrayOf(
            (x - w / 2).toFloat(),
            (y - h / 2).toFloat(),
            (x + w / 2).toFloat(),
            (y + h / 2).toFloat(),
        )
    }

    fun predict() {
        if (++unseen > 1) motions.drop(2).forEach { it.speed = 0.0 } // what is lost moves on, but does not grow
        val values = values()
        motions.forEachIndexed { i, motion -> motion.predict(side(i, values)) }
    }

    fun correct(
        found: Detections,
        row: Int,
    ) {
        unseen = 0
        val values = values()
        val seen = measured(found, row)
        motions.forEachIndexed { i, motion -> motion.correct(seen[i], side(i, values)) }
    }

    private fun values() = DoubleArray(motions.size) { motions[it].value }

    private companion object {
        const val LEAST_SIDE = 1e-4

        /** Width for x and width, height for y and height. */
        fun side(
            index: Int,
            values: DoubleArray,
        ) = maxOf(values[2 + index % 2], LEAST_SIDE)

        /** Centre, width and height. */
        fun measured(
            found: Detections,
            row: Int,
        ): DoubleArray {
            val (x1, y1, x2, y2) = List(4) { found.boxes[4 * row + it].toDouble() }
            return doubleArrayOf((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
        }
    }
}

/** A coordinate, and its speed in a frame, by a Kalman filter. [a], [b], [c]: covariances [[a, b], [b, c]]. */
private class Motion(
    var value: Double,
    side: Double,
) {
    var speed = 0.0
    private var a = square(2 * POSITION * side)
    private var b = 0.0
    private var c = square(10 * SPEED * side)

    fun predict(side: Double) {
        value += speed
        a += 2 * b + c + square(POSITION * side)
        b += c
        c += square(SPEED * side)
    }

    fun correct(
        seen: Double,
        side: Double,
    ) {
        val total = a + square(POSITION * side)
        val error = seen - value
        value += a / total * error
        speed += b / total * error
        c -= b * b / total
        b -= a * b / total
        a -= a * a / total
    }

    private companion object {
        const val POSITION = 1.0 / 20 // deviations, as shares of the box's side
        const val SPEED = 1.0 / 160

        fun square(value: Double) = value * value
    }
}
