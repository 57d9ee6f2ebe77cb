package org.deimv2.app

import org.deimv2.detector.Plane
import org.deimv2.detector.Preprocessor
import org.deimv2.detector.YuvColours
import org.deimv2.detector.YuvFrame
import java.nio.ByteBuffer
import kotlin.math.abs
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue

class PicturesTest {
    @Test
    fun sidesAreEvenAndNotLongerThanAsked() {
        assertEquals(1280 to 720, evenSize(1920, 1080, 1280))
        assertEquals(720 to 1280, evenSize(1080, 1920, 1280))
        assertEquals(640 to 480, evenSize(640, 480, 1280))
        assertEquals(852 to 480, evenSize(853, 481, 1280))
        assertEquals(2 to 1280, evenSize(1, 4000, 1280))
        assertEquals(2 to 2, evenSize(1, 1, 1280))
        assertEquals(1280 to 640, evenSize(Int.MAX_VALUE, Int.MAX_VALUE / 2 + 1, 1280))
    }

    @Test
    fun whatIsWrittenIsReadAgainInEveryLayout() {
        val pixels = pixelsInFours()
        for ((pixelStride, padding) in listOf(1 to 0, 1 to 5, 2 to 0, 2 to 6)) {
            val luma = Plane(ByteBuffer.allocateDirect(HEIGHT * (WIDTH + padding)), WIDTH + padding, 1)
            val rowStride = WIDTH / 2 * pixelStride + padding
            val chroma = ByteBuffer.allocateDirect(HEIGHT / 2 * rowStride + pixelStride)
            // Of two bytes a sample: U and V in turn in one buffer, as most encoders have it.
            val blue = Plane(chroma, rowStride, pixelStride)
            chroma.position(if (pixelStride == 2) 1 else 0)
            val red = if (pixelStride == 2) chroma.slice() else ByteBuffer.allocateDirect(chroma.capacity())
            fillYuv(pixels, WIDTH, luma, blue, Plane(red, rowStride, pixelStride))

            val colours = YuvColours.bt709(limited = true)
            val frame = YuvFrame(luma, blue, Plane(red, rowStride, pixelStride), WIDTH, HEIGHT, colours = colours)
            val rgb = Preprocessor(HEIGHT, WIDTH).use { it.fill(frame) }
            val worst = rgb.indices.maxOf { abs((rgb[it].toInt() and 0xFF) - channel(pixels[it / 3], it % 3)) }
            assertTrue(worst <= 3, "$worst levels with a stride of $pixelStride and $padding bytes beside a row")
        }
    }

    @Test
    fun blackAndWhiteAreThoseOfTheLimitedRange() {
        for ((colour, level) in listOf(0xFF000000 to 16, 0xFFFFFFFF to 235)) {
            val (luma, blue, red) = List(3) { Plane(ByteBuffer.allocate(4), 2, 1) }
            fillYuv(IntArray(4) { colour.toInt() }, 2, luma, blue, red)
            assertEquals(List(4) { level }, luma.samples.array().map { it.toInt() and 0xFF })
            assertEquals(128 to 128, (blue.samples[0].toInt() and 0xFF) to (red.samples[0].toInt() and 0xFF))
        }
    }

    private fun channel(
        pixel: Int,
        index: Int,
    ) = pixel shr 16 - 8 * index and 0xFF

    /** Colours of all kinds, each in 2 x 2 pixels, which share one in 4:2:0. */
    private fun pixelsInFours() =
        IntArray(WIDTH * HEIGHT) {
            val column = it % WIDTH / 2
            val row = it / WIDTH / 2
            0xFF shl 24 or (column * 36 shl 16) or (row * 85 shl 8) or (column * row * 12)
        }

    private companion object {
        const val WIDTH = 16
        const val HEIGHT = 8
    }
}
