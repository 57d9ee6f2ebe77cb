package org.deimv2.detector

import java.util.concurrent.CountDownLatch
import java.util.concurrent.Executors

/**
 * Turns a frame upright and stretches it to the model's input, as `model/images.py` does it: both
 * sides stretched, the aspect ratio not kept, bilinear, antialiased; equal within one level of 255.
 *
 * Rows are added up first, which is quick, and the fewer rows are then stretched; the small picture
 * is what is turned. The caller's thread does one half, a thread of its own the other. Buffers grow
 * with the first frame of a size and are used again; not thread-safe.
 */
class Preprocessor(
    private val height: Int,
    private val width: Int,
) : AutoCloseable {
    private val input = ByteArray(height * width * RGB)
    private var across = Resampler(1, 1)
    private var down = Resampler(1, 1)
    private val halves = List(2) { Half() }
    private val helper = Executors.newSingleThreadExecutor { Thread(it, "deimv2 frames").apply { isDaemon = true } }

    /** The input tensor, uint8 RGB [height, width, 3]; the same array every time, overwritten by the next call. */
    fun fill(frame: Frame): ByteArray {
        val turned = frame.rotation % 180 != 0
        prepare(frame.width, frame.height, if (turned) height else width, if (turned) width else height)
        val middle = down.to / 2
        val done = CountDownLatch(1)
        var problem: Throwable? = null
        helper.execute {
            try {
                halves[1].fill(frame, middle, down.to)
            } catch (error: Throwable) {
                problem = error
            }
            done.countDown()
        }
        try {
            halves[0].fill(frame, 0, middle)
        } finally {
            done.await()
        }
        problem?.let { throw it }
        return input
    }

    override fun close() = helper.shutdown()

    private fun prepare(
        fromWidth: Int,
        fromHeight: Int,
        toWidth: Int,
        toHeight: Int,
    ) {
        if (across.from != fromWidth || across.to != toWidth) across = Resampler(fromWidth, toWidth)
        if (down.from != fromHeight || down.to != toHeight) down = Resampler(fromHeight, toHeight)
    }

    /** Some rows of the output, and the buffers for it. */
    private inner class Half {
        private val scratch = Frame.Scratch()
        private var row = IntArray(0)
        private var sums = emptyArray<IntArray>() // of output rows that are not complete yet, by row % sums.size

        fun fill(
            frame: Frame,
            begin: Int,
            end: Int,
        ) {
            if (begin == end) return
            if (row.size != across.from * RGB || sums.size < down.overlap) {
                row = IntArray(across.from * RGB)
                sums = Array(down.overlap) { IntArray(across.from * RGB) }
            }
            val rows = frame.rows(scratch)
            var first = begin // output row that is not complete
            for (y in down.starts[begin] until down.ends[end - 1]) {
                rows.read(y, row)
                var out = first
                while (out < end && down.starts[out] <= y) {
                    if (down.ends[out] > y) add(out, y)
                    out++
                }
                while (first < end && down.ends[first] <= y + 1) {
                    stretch(sums[first % sums.size], first, frame.rotation)
                    first++
                }
            }
        }

        /** Source row [y], times its weight, to the sum of output row [out]. */
        private fun add(
            out: Int,
            y: Int,
        ) {
            val weight = down.weights[out * down.taps + y - down.starts[out]]
            val sum = sums[out % sums.size]
            val row = row
            if (y == down.starts[out]) {
                for (i in row.indices) sum[i] = weight * row[i]
            } else {
                for (i in row.indices) sum[i] += weight * row[i]
            }
        }

        /** A complete sum along its row, into the input's row or column [out]. */
        private fun stretch(
            sum: IntArray,
            out: Int,
            rotation: Int,
        ) {
            for (i in sum.indices) sum[i] = sum[i] shr SPARE
            val input = input
            val weights = across.weights
            val starts = across.starts
            val ends = across.ends
            val step = RGB * step(rotation)
            var at = RGB * start(out, rotation)
            for (x in starts.indices) {
                var red = HALF
                var green = HALF
                var blue = HALF
                var k = x * across.taps
                for (from in starts[x] until ends[x]) {
                    val weight = weights[k++]
                    val pixel = RGB * from
                    red += weight * sum[pixel]
                    green += weight * sum[pixel + 1]
                    blue += weight * sum[pixel + 2]
                }
                input[at] = (red shr SHIFT).toByte()
                input[at + 1] = (green shr SHIFT).toByte()
                input[at + 2] = (blue shr SHIFT).toByte()
                at += step
            }
        }
    }

    /** Pixel of the input at which stretched row [out] of the frame begins, and the step to the next. */
    private fun start(
        out: Int,
        rotation: Int,
    ) = when (rotation) {
        0 -> out * width
        90 -> width - 1 - out
        180 -> (height - out) * width - 1
        else -> (height - 1) * width + out
    }

    private fun step(rotation: Int) =
        when (rotation) {
            0 -> 1
            90 -> width
            180 -> -1
            else -> -width
        }

    private companion object {
        const val RGB = 3
        const val SPARE = 6 // bits of a sum that the second pass has no room for
        const val SHIFT = 2 * Resampler.BITS - SPARE
        const val HALF = 1 shl SHIFT - 1
    }
}
