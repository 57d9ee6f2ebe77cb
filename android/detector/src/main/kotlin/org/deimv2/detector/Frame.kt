package org.deimv2.detector

import android.graphics.Bitmap
import android.media.Image
import java.nio.ByteBuffer

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

    /** Writes row [y] of the upright picture as RGB bytes, left to right. */
    internal abstract fun readRow(
        y: Int,
        into: ByteArray,
    )

    // An upright row, seen in the frame as it came: where it begins, and the step to the next pixel.
    protected fun startX(y: Int) =
        when (rotation) {
            0 -> 0
            90 -> y
            180 -> width - 1
            else -> width - 1 - y
        }

    protected fun startY(y: Int) =
        when (rotation) {
            0 -> y
            90 -> height - 1
            180 -> height - 1 - y
            else -> 0
        }

    protected val stepX =
        if (rotation == 0) {
            1
        } else if (rotation == 180) {
            -1
        } else {
            0
        }
    protected val stepY =
        if (rotation == 270) {
            1
        } else if (rotation == 90) {
            -1
        } else {
            0
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

    override fun readRow(
        y: Int,
        into: ByteArray,
    ) {
        var at = 0
        var from = startY(y) * width + startX(y)
        repeat(uprightWidth) {
            val pixel = pixels[from]
            into[at++] = (pixel shr 16).toByte()
            into[at++] = (pixel shr 8).toByte()
            into[at++] = pixel.toByte()
            from += stepY * width + stepX
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
 * A camera frame, YUV 4:2:0 in three planes (YUV_420_888, NV12, NV21, I420), BT.601 full range as
 * Android's cameras give it. The planes are read while `detect` runs: close the image after it.
 */
class YuvFrame(
    private val luma: Plane,
    private val blue: Plane,
    private val red: Plane,
    width: Int,
    height: Int,
    rotation: Int = 0,
) : Frame(width, height, rotation) {
    init {
        require("Y", luma, width, height)
        require("U", blue, (width + 1) / 2, (height + 1) / 2)
        require("V", red, (width + 1) / 2, (height + 1) / 2)
    }

    /** Throws [DetectorException] for an image of another format than YUV_420_888. */
    constructor(image: Image, rotation: Int = 0) :
        this(plane(image, 0), plane(image, 1), plane(image, 2), image.width, image.height, rotation)

    override fun readRow(
        y: Int,
        into: ByteArray,
    ) {
        var at = 0
        var column = startX(y)
        var row = startY(y)
        repeat(uprightWidth) {
            val light = luma.at(column, row)
            val cb = blue.at(column / 2, row / 2) - 128
            val cr = red.at(column / 2, row / 2) - 128
            // ITU-T T.871, in 16-bit fixed point
            into[at++] = clamp(light + (91881 * cr + HALF shr 16))
            into[at++] = clamp(light + (HALF - 22554 * cb - 46802 * cr shr 16))
            into[at++] = clamp(light + (116130 * cb + HALF shr 16))
            column += stepX
            row += stepY
        }
    }

    private companion object {
        const val HALF = 1 shl 15

        fun Plane.at(
            x: Int,
            y: Int,
        ) = samples.get(y * rowStride + x * pixelStride).toInt() and 0xFF

        fun clamp(value: Int) =
            (
                if (value < 0) {
                    0
                } else if (value > 255) {
                    255
                } else {
                    value
                }
            ).toByte()

        fun plane(
            image: Image,
            index: Int,
        ): Plane {
            if (image.planes.size != 3) {
                throw DetectorException(
                    "the image has ${image.planes.size} planes (format ${image.format}), expected 3 of YUV_420_888",
                )
            }
            return image.planes[index].let { Plane(it.buffer, it.rowStride, it.pixelStride) }
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
