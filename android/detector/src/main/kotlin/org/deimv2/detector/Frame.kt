package org.deimv2.detector

import android.graphics.Bitmap
import android.graphics.ImageFormat
import android.media.Image
import java.nio.ByteBuffer
import kotlin.math.roundToInt

/**
 * A picture to detect in. [rotation]: degrees clockwise that turn it upright, as CameraX and EXIF
 * readers say it; 0, 90, 180 or 270.
 */
sealed class Frame(
    val width: Int,
    val height: Int,
    val rotation: Int,
) {
    init {
        if (width < 1 || height < 1) {
            throw DetectorException("the frame is $width x $height, expected at least 1 pixel each way")
        }
        if (rotation !in ROTATIONS) {
            throw DetectorException("the rotation is $rotation, expected one of ${ROTATIONS.joinToString()} degrees")
        }
    }

    val uprightWidth get() = if (rotation % 180 == 0) width else height
    val uprightHeight get() = if (rotation % 180 == 0) height else width

    /** Reads rows; each thread has its own. */
    internal abstract fun rows(scratch: Scratch): Rows

    internal fun interface Rows {
        /** Writes row [y] of the picture as it came, not turned, as red, green, blue in 0..255. */
        fun read(
            y: Int,
            into: IntArray,
        )
    }

    /** Bytes of one row of a camera's planes; they grow once and are used again. */
    internal class Scratch {
        var luma = ByteArray(0)
            private set
        var blue = ByteArray(0)
            private set
        var red = ByteArray(0)
            private set

        fun fit(
            lumaBytes: Int,
            chromaBytes: Int,
        ) {
            if (luma.size < lumaBytes) luma = ByteArray(lumaBytes)
            if (blue.size < chromaBytes) blue = ByteArray(chromaBytes)
            if (red.size < chromaBytes) red = ByteArray(chromaBytes)
        }
    }

    private companion object {
        val ROTATIONS = listOf(0, 90, 180, 270)
    }
}

/** ARGB pixels, row by row, as `Bitmap.getPixels` gives them; transparency is dropped. */
class RgbFrame(
    private val pixels: IntArray,
    width: Int,
    height: Int,
    rotation: Int = 0,
) : Frame(width, height, rotation) {
    init {
        if (pixels.size < width * height) {
            throw DetectorException("${pixels.size} pixels for a frame of $width x $height, expected ${width * height}")
        }
    }

    /** A bitmap's pixels; of a hardware bitmap, those of a copy. */
    constructor(bitmap: Bitmap, rotation: Int = 0) : this(pixelsOf(bitmap), bitmap.width, bitmap.height, rotation)

    override fun rows(scratch: Scratch) =
        Rows { y, into ->
            var at = 0
            for (from in y * width until (y + 1) * width) {
                val pixel = pixels[from]
                into[at] = pixel shr 16 and 0xFF
                into[at + 1] = pixel shr 8 and 0xFF
                into[at + 2] = pixel and 0xFF
                at += 3
            }
        }

    private companion object {
        fun pixelsOf(bitmap: Bitmap): IntArray {
            // By name: Config.HARDWARE came with API 26, and its pixels cannot be read.
            val readable =
                if (bitmap.config?.name ==
                    "HARDWARE"
                ) {
                    bitmap.copy(Bitmap.Config.ARGB_8888, false)
                } else {
                    bitmap
                }
            return IntArray(bitmap.width * bitmap.height).also {
                readable.getPixels(it, 0, bitmap.width, 0, 0, bitmap.width, bitmap.height)
            }
        }
    }
}

/** A plane of a camera frame: sample (x, y) lies at y * [rowStride] + x * [pixelStride] of [samples]. */
class Plane(
    val samples: ByteBuffer,
    val rowStride: Int,
    val pixelStride: Int,
)

/**
 * A frame of a camera or a video, YUV 4:2:0 in three planes (YUV_420_888, NV12, NV21, I420); [colours]: by
 * default those of Android's cameras. The planes are read while `detect` runs: close the image after it.
 */
class YuvFrame(
    private val luma: Plane,
    private val blue: Plane,
    private val red: Plane,
    width: Int,
    height: Int,
    rotation: Int = 0,
    private val colours: YuvColours = YuvColours.CAMERA,
) : Frame(width, height, rotation) {
    init {
        require("Y", luma, width, height)
        require("U", blue, (width + 1) / 2, (height + 1) / 2)
        require("V", red, (width + 1) / 2, (height + 1) / 2)
    }

    /** What the image's crop shows. Throws [DetectorException] for another format than YUV_420_888. */
    constructor(image: Image, rotation: Int = 0, colours: YuvColours = YuvColours.CAMERA) : this(
        plane(image, 0),
        plane(image, 1),
        plane(image, 2),
        image.cropRect.width(),
        image.cropRect.height(),
        rotation,
        colours,
    )

    override fun rows(scratch: Scratch): Rows {
        val columns = (width + 1) / 2
        val lumaBytes = (width - 1) * luma.pixelStride + 1
        val blueBytes = (columns - 1) * blue.pixelStride + 1
        val redBytes = (columns - 1) * red.pixelStride + 1
        scratch.fit(lumaBytes, maxOf(blueBytes, redBytes))
        // Positions of their own: reading moves them.
        val lumas = luma.samples.duplicate()
        val blues = blue.samples.duplicate()
        val reds = red.samples.duplicate()
        return Rows { y, into ->
            lumas.row(y * luma.rowStride, lumaBytes, scratch.luma)
            blues.row(y / 2 * blue.rowStride, blueBytes, scratch.blue)
            reds.row(y / 2 * red.rowStride, redBytes, scratch.red)
            toRgb(scratch.luma, scratch.blue, scratch.red, into)
        }
    }

    private fun toRgb(
        lights: ByteArray,
        blues: ByteArray,
        reds: ByteArray,
        into: IntArray,
    ) {
        val lightStep = luma.pixelStride
        val blueStep = blue.pixelStride
        val redStep = red.pixelStride
        val levels = colours.levels
        val redOfRed = colours.redOfRed
        val greenOfBlue = colours.greenOfBlue
        val greenOfRed = colours.greenOfRed
        val blueOfBlue = colours.blueOfBlue
        var at = 0
        for (column in 0 until (width + 1) / 2) {
            // 16-bit fixed point; two pixels share a colour
            val cb = (blues[column * blueStep].toInt() and 0xFF) - 128
            val cr = (reds[column * redStep].toInt() and 0xFF) - 128
            val toRed = redOfRed * cr + HALF shr 16
            val toGreen = HALF - greenOfBlue * cb - greenOfRed * cr shr 16
            val toBlue = blueOfBlue * cb + HALF shr 16
            val light = levels[lights[2 * column * lightStep].toInt() and 0xFF]
            into[at] = clamp(light + toRed)
            into[at + 1] = clamp(light + toGreen)
            into[at + 2] = clamp(light + toBlue)
            if (2 * column + 1 < width) {
                val next = levels[lights[(2 * column + 1) * lightStep].toInt() and 0xFF]
                into[at + 3] = clamp(next + toRed)
                into[at + 4] = clamp(next + toGreen)
                into[at + 5] = clamp(next + toBlue)
            }
            at += 6
        }
    }

    private companion object {
        const val HALF = 1 shl 15

        fun ByteBuffer.row(
            start: Int,
            count: Int,
            into: ByteArray,
        ) {
            position(start)
            get(into, 0, count)
        }

        /** To 0..255, without branches: a camera's noise defeats their prediction. */
        fun clamp(value: Int): Int {
            val positive = value and (value shr 31).inv()
            return positive or (255 - positive shr 31) and 0xFF
        }

        fun plane(
            image: Image,
            index: Int,
        ): Plane {
            if (image.format != ImageFormat.YUV_420_888) {
                throw DetectorException("the image has format ${image.format}, expected YUV_420_888")
            }
            val crop = image.cropRect
            val step = if (index == 0) 1 else 2
            return image.planes[index].let {
                val first = crop.top / step * it.rowStride + crop.left / step * it.pixelStride
                val shown = it.buffer.duplicate().apply { position(first) }
                Plane(shown.slice(), it.rowStride, it.pixelStride)
            }
        }

        fun require(
            name: String,
            plane: Plane,
            columns: Int,
            rows: Int,
        ) {
            val last = (rows - 1) * plane.rowStride + (columns - 1) * plane.pixelStride
            if (last >= plane.samples.limit()) {
                throw DetectorException(
                    "plane $name has ${plane.samples.limit()} bytes, expected at least ${last + 1}; " +
                        "give the strides of the frame",
                )
            }
        }
    }
}

/**
 * What Y, U and V mean, as the standards have it. [red], [blue]: their shares of the light;
 * [limited]: black is 16 and white 235, as in most videos, and not 0 and 255.
 */
class YuvColours(
    red: Double,
    blue: Double,
    limited: Boolean,
) {
    internal val levels = IntArray(256) { if (limited) ((it - 16) * 255 / 219.0).roundToInt() else it }
    internal val redOfRed: Int
    internal val greenOfBlue: Int
    internal val greenOfRed: Int
    internal val blueOfBlue: Int

    init {
        val green = 1 - red - blue
        val scale = 65536 * if (limited) 255 / 224.0 else 1.0
        redOfRed = (2 * (1 - red) * scale).roundToInt()
        blueOfBlue = (2 * (1 - blue) * scale).roundToInt()
        greenOfRed = (2 * (1 - red) * red / green * scale).roundToInt()
        greenOfBlue = (2 * (1 - blue) * blue / green * scale).roundToInt()
    }

    companion object {
        /** ITU-T T.871: BT.601, full range. */
        val CAMERA = bt601(limited = false)

        fun bt601(limited: Boolean) = YuvColours(0.299, 0.114, limited)

        fun bt709(limited: Boolean) = YuvColours(0.2126, 0.0722, limited)

        fun bt2020(limited: Boolean) = YuvColours(0.2627, 0.0593, limited)
    }
}
