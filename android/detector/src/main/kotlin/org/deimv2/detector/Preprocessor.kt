package org.deimv2.detector

/**
 * Turns a frame upright and stretches it to the model's input, as `model/images.py` does it: both
 * sides stretched, the aspect ratio not kept, bilinear, antialiased; equal within one level of 255.
 *
 * Its buffers grow with the first frame of a size and are used again; not thread-safe.
 */
class Preprocessor(
    private val height: Int,
    private val width: Int,
) {
    private val input = ByteArray(height * width * RGB)
    private var row = ByteArray(0)
    private var narrow = ByteArray(0)
    private var across = Resampler(1, 1)
    private var down = Resampler(1, 1)

    /** The input tensor, uint8 RGB [height, width, 3]; the same array every time, overwritten by the next call. */
    fun fill(frame: Frame): ByteArray {
        prepare(frame.uprightWidth, frame.uprightHeight)
        for (y in 0 until down.from) {
            frame.readRow(y, row)
            across.stretch(row, 0, RGB, narrow, y * width * RGB, RGB)
        }
        for (x in 0 until width) down.stretch(narrow, x * RGB, width * RGB, input, x * RGB, width * RGB)
        return input
    }

    private fun prepare(
        fromWidth: Int,
        fromHeight: Int,
    ) {
        if (across.from == fromWidth && down.from == fromHeight && across.to == width) return
        across = Resampler(fromWidth, width)
        down = Resampler(fromHeight, height)
        row = ByteArray(fromWidth * RGB)
        narrow = ByteArray(fromHeight * width * RGB)
    }

    private companion object {
        const val RGB = 3
    }
}
