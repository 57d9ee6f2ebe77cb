package org.deimv2.detector

import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/**
 * What a detector says about one frame, best first.
 *
 * [boxes]: 4 numbers each, x1, y1, x2, y2 in 0..1 of the upright frame, not clipped to it;
 * [scores] in 0..1; [labels]: places in the manifest's list of class names.
 */
class Detections(
    val boxes: FloatArray,
    val scores: FloatArray,
    val labels: IntArray,
) {
    val size get() = scores.size

    /** What the frame took, in nanoseconds: to the input tensor, and from there to detections. */
    var preprocessNanos = 0L
        internal set
    var inferenceNanos = 0L
        internal set

    init {
        if (boxes.size != 4 * size || labels.size != size) {
            throw DetectorException(
                "${boxes.size / 4} boxes, $size scores and ${labels.size} labels, expected as many of each; " +
                    "use a file of 'deimv2 export'",
            )
        }
    }

    constructor(size: Int) : this(FloatArray(4 * size), FloatArray(size), IntArray(size))

    /** How many scores are greater than [threshold]; they stand first. */
    fun countAbove(threshold: Float): Int {
        var count = 0
        while (count < size && scores[count] > threshold) count++
        return count
    }

    /** Whether a row before [index], and so a better one, has the same box: another label of one object. */
    fun isRepeated(index: Int): Boolean =
        (0 until index).any { row -> (0 until 4).all { boxes[4 * row + it] == boxes[4 * index + it] } }

    /**
     * Box [index] in pixels of the frame as it came, before it was turned upright: x1, y1, x2, y2,
     * written to [into]. For the upright frame, give its size and rotation 0.
     */
    fun toFrame(
        index: Int,
        width: Int,
        height: Int,
        rotation: Int,
        into: FloatArray = FloatArray(4),
    ): FloatArray {
        val x1 = boxes[4 * index]
        val y1 = boxes[4 * index + 1]
        val x2 = boxes[4 * index + 2]
        val y2 = boxes[4 * index + 3]
        when (rotation) {
            0 -> into.put(x1, y1, x2, y2)
            90 -> into.put(y1, 1 - x2, y2, 1 - x1)
            180 -> into.put(1 - x2, 1 - y2, 1 - x1, 1 - y1)
            270 -> into.put(1 - y2, x1, 1 - y1, x2)
            else -> throw DetectorException("the rotation is $rotation, expected 0, 90, 180 or 270 degrees")
        }
        for (i in 0 until 4) into[i] *= (if (i % 2 == 0) width else height).toFloat()
        return into
    }

    operator fun plus(other: Detections) = Detections(boxes + other.boxes, scores + other.scores, labels + other.labels)

    companion object {
        /** Reads a list of {"label", "score", "box"}, as `Detections.to_json` of `model/detections.py` writes it. */
        @Throws(JSONException::class)
        fun of(rows: JSONArray): Detections {
            val list = rows.objects { this }
            val boxes = list.flatMap { row -> row.getJSONArray("box").map { number(it) } }
            return Detections(
                boxes.toFloatArray(),
                FloatArray(list.size) { list[it].number("score") },
                IntArray(list.size) { list[it].getInt("label") },
            )
        }

        private fun FloatArray.put(
            x1: Float,
            y1: Float,
            x2: Float,
            y2: Float,
        ) {
            this[0] = x1
            this[1] = y1
            this[2] = x2
            this[3] = y2
        }

        private fun JSONObject.number(name: String) = if (isNull(name)) Float.NaN else getDouble(name).toFloat()

        private fun JSONArray.number(index: Int) = if (isNull(index)) Float.NaN else getDouble(index).toFloat()
    }
}
