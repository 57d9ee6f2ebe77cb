package org.deimv2.detector

import kotlin.math.abs
import kotlin.math.max
import kotlin.math.min

/**
 * Weights of a bilinear stretch of one axis, [from] to [to] samples, antialiased when it shrinks: a
 * triangle as wide as the scale, as PIL's `Resampling.BILINEAR` has it. In fixed point of [BITS];
 * those of one output sum to 1.
 */
internal class Resampler(
    val from: Int,
    val to: Int,
) {
    /** Of output x: its first source sample, and the one after its last. */
    val starts = IntArray(to)
    val ends = IntArray(to)

    /** Most source samples that one output takes; its weights begin at x * taps. */
    val taps: Int
    val weights: IntArray

    /** Most outputs that one source sample goes to. */
    val overlap: Int

    init {
        val scale = from.toDouble() / to
        val support = max(scale, 1.0)
        var count = 0
        for (x in 0 until to) {
            val center = (x + 0.5) * scale
            starts[x] = max(0, (center - support + 0.5).toInt())
            ends[x] = min(from, (center + support + 0.5).toInt())
            count = max(count, ends[x] - starts[x])
        }
        taps = count
        weights = IntArray(to * taps)
        val triangle = DoubleArray(taps)
        for (x in 0 until to) {
            val center = (x + 0.5) * scale
            count = ends[x] - starts[x]
            var sum = 0.0
            for (i in 0 until count) {
                triangle[i] = max(0.0, 1 - abs((starts[x] + i - center + 0.5) / support))
                sum += triangle[i]
            }
            var left = ONE
            var largest = x * taps
            for (i in 0 until count) {
                val weight = (triangle[i] / sum * ONE + 0.5).toInt()
                weights[x * taps + i] = weight
                if (weight > weights[largest]) largest = x * taps + i
                left -= weight
            }
            weights[largest] += left
        }
        var most = 1
        var first = 0
        for (x in 0 until to) {
            while (ends[first] <= starts[x]) first++
            most = max(most, x - first + 1)
        }
        overlap = most
    }

    companion object {
        const val BITS = 14
        const val ONE = 1 shl BITS
    }
}
