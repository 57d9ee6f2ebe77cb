package org.deimv2.app

import android.graphics.Bitmap
import org.deimv2.detector.Frame
import org.deimv2.detector.Plane
import org.deimv2.detector.Preprocessor
import kotlin.math.roundToInt

/** A video's frames as bitmaps, upright, of even sides of at most [longest]. */
class Pictures(
    private val longest: Int,
) : AutoCloseable {
    private var scaler: Preprocessor? = null
    private var pixels = IntArray(0)
    private var width = 0
    private var height = 0

    fun of(frame: Frame): Bitmap {
        val rgb = scalerFor(frame).fill(frame)
        for (i in pixels.indices) {
            val red = rgb[3 * i].toInt() and 0xFF
            val green = rgb[3 * i + 1].toInt() and 0xFF
            val blue = rgb[3 * i + 2].toInt() and 0xFF
            pixels[i] = 0xFF shl 24 or (red shl 16) or (green shl 8) or blue
        }
        return Bitmap.createBitmap(pixels, width, height, Bitmap.Config.ARGB_8888)
    }

    /** All frames of a video have its size. */
    private fun scalerFor(frame: Frame) =
        scaler ?: run {
            val (width, height) = evenSize(frame.uprightWidth, frame.uprightHeight, longest)
            this.width = width
            this.height = height
            pixels = IntArray(width * height)
            Preprocessor(height, width).also { scaler = it }
        }

    override fun close() {
        scaler?.close()
    }
}

/** [width] and [height], shrunk to [longest] where they are larger, and even: in 4:2:0, two pixels share a colour. */
fun evenSize(
    width: Int,
    height: Int,
    longest: Int,
): Pair<Int, Int> {
    val side = maxOf(width, height)
    val shrunk = minOf(side, longest).toLong()

    fun even(length: Int) = maxOf(2, (length * shrunk / side).toInt() and 1.inv())
    return even(width) to even(height)
}

/** Writes ARGB [pixels], of even sides, as YUV 4:2:0: BT.709 in limited range, 2 x 2 pixels share a colour. */
fun fillYuv(
    pixels: IntArray,
    width: Int,
    luma: Plane,
    blue: Plane,
    red: Plane,
) {
    for (row in 0 until pixels.size / width step 2) {
        for (column in 0 until width step 2) {
            var r = 0
            var g = 0
            var b = 0
            for (y in row..row + 1) {
                for (x in column..column + 1) {
                    val pixel = pixels[y * width + x]
                    val ownRed = pixel shr 16 and 0xFF
                    val ownGreen = pixel shr 8 and 0xFF
                    val ownBlue = pixel and 0xFF
                    r += ownRed
                    g += ownGreen
                    b += ownBlue
                    val light = LUMA_OF_RED * ownRed + LUMA_OF_GREEN * ownGreen + LUMA_OF_BLUE * ownBlue
                    luma.put(x, y, light + BLACK shr 16)
                }
            }
            val light = SHARE_OF_RED * r + SHARE_OF_GREEN * g + SHARE_OF_BLUE * b
            blue.put(column / 2, row / 2, 128 + ((b - light) * BLUE_SCALE).roundToInt())
            red.put(column / 2, row / 2, 128 + ((r - light) * RED_SCALE).roundToInt())
        }
    }
}

private fun Plane.put(
    x: Int,
    y: Int,
    value: Int,
) {
    samples.put(y * rowStride + x * pixelStride, value.toByte())
}

// BT.709's shares of the light. Limited range: black is 16 and white 235, colours are 16 to 240.
private const val SHARE_OF_RED = 0.2126f
private const val SHARE_OF_BLUE = 0.0722f
private const val SHARE_OF_GREEN = 1 - SHARE_OF_RED - SHARE_OF_BLUE
private const val BLUE_SCALE = 224 / 255f / (2 * (1 - SHARE_OF_BLUE)) / 4 // of the sum of four pixels
private const val RED_SCALE = 224 / 255f / (2 * (1 - SHARE_OF_RED)) / 4

// 16-bit fixed point, for the luma that every pixel has.
private const val LUMA_OF_RED = (SHARE_OF_RED * 219 / 255 * 65536 + 0.5f).toInt()
private const val LUMA_OF_GREEN = (SHARE_OF_GREEN * 219 / 255 * 65536 + 0.5f).toInt()
private const val LUMA_OF_BLUE = (SHARE_OF_BLUE * 219 / 255 * 65536 + 0.5f).toInt()
private const val BLACK = (16 shl 16) + (1 shl 15)
