package org.deimv2.detector

import kotlin.math.abs
import kotlin.math.max
import kotlin.math.min

/**
 * Weights of a bilinear stretch of one axis, [from] to [to] samples, antialiased when it shrinks.
 *
 * The same arithmetic as PIL's `Resampling.BILINEAR`: a triangle as wide as the scale, weights in
 * fixed point, each pass rounded to 8 bits. PIL's newer versions take the vertical pass first for
 * some sizes, which rounds differently: by one level at most.
 */
internal class Resampler(
    val from: Int,
    val to: Int,
) {
    /** Most source samples that one output takes. */
    private val taps: Int
    private val starts = IntArray(to)
    private val counts = IntArray(to)
    private val weights: IntArray

    init {
        val scale = from.toDouble() / to
        val support = max(scale, 1.0)
        val perSample = 1 / support
        taps = support.toInt() * 2 + 3
        weights = IntArray(to * taps)
        val triangle = DoubleArray(taps)
        for (x in 0 until to) {
            val center = (x + 0.5) * scale
            starts[x] = max(0, (center - support + 0.5).toInt())
            counts[x] = min(from, (center + support + 0.5).toInt()) - starts[x]
            for (i in 0 until counts[x]) {
                triangle[i] = max(0.0, 1 - abs((starts[x] + i - center + 0.5) * perSample))
            }
            var sum = 0.0
            for (i in 0 until counts[x]) sum += triangle[i]
            for (i in 0 until counts[x]) weights[x * taps + i] = (triangle[i] / sum * ONE + 0.5).toInt()
        }
    }

    /**
     * Stretches interleaved RGB along this axis: sample i, channel c lies at [inAt] + i * [inStep] + c,
     * and goes to [outAt] + i * [outStep] + c.
     */
    fun stretch(
        input: ByteArray,
        inAt: Int,
        inStep: Int,
        output: ByteArray,
        outAt: Int,
        outStep: Int,
    ) {
        for (x in 0 until to) {
            var red = HALF
            var green = HALF
            var blue = HALF
            var at = inAt + starts[x] * inStep
            for (k in x * taps until x * taps + counts[x]) {
                val weight = weights[k]
                red += weight * (input[at].toInt() and 0xFF)
                green += weight * (input[at + 1].toInt() and 0xFF)
                blue += weight * (input[at + 2].toInt() and 0xFF)
                at += inStep
            }
            val out = outAt + x * outStep
            output[out] = (red shr BITS).toByte()
            output[out + 1] = (green shr BITS).toByte()
            output[out + 2] = (blue shr BITS).toByte()
        }
    }

    private companion object {
        const val BITS = 22 // 8 bits of a sample, and 2 to spare, of 32
        const val ONE = 1 shl BITS
        const val HALF = ONE / 2
    }
}
