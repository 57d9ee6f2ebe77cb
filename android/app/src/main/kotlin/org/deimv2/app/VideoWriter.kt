package org.deimv2.app

import android.graphics.Bitmap
import android.media.MediaCodec
import android.media.MediaCodecInfo.CodecCapabilities
import android.media.MediaFormat
import android.media.MediaMuxer
import org.deimv2.detector.Plane
import java.io.File
import java.io.IOException

/**
 * Writes pictures of one even size into an .mp4, H.264 by the phone's own encoder, without sound. The encoder is
 * given images and not a surface, since a frame drawn on a surface has the time at which it was drawn: with the
 * video's own times, it plays as it did and the bit rate is kept. Throws IOException, IllegalStateException and
 * IllegalArgumentException for what encoder and disk refuse.
 */
class VideoWriter(
    file: File,
    private val width: Int,
    private val height: Int,
) : AutoCloseable {
    private val muxer = MediaMuxer(file.path, MediaMuxer.OutputFormat.MUXER_OUTPUT_MPEG_4)
    private val codec =
        try {
            newEncoder()
        } catch (error: Exception) {
            muxer.release()
            throw error
        }
    private val info = MediaCodec.BufferInfo()
    private val times = MuxerTimes()
    private val pixels = IntArray(width * height)
    private var track = -1

    fun write(
        picture: Bitmap,
        micros: Long,
    ) {
        picture.getPixels(pixels, 0, width, 0, 0, width, height)
        val place = freeInput()
        // Before the image is asked for, which ends the buffer. It may hold more than the pixels: rows are padded.
        val size = codec.getInputBuffer(place)?.capacity()
        val image = codec.getInputImage(place)
        if (size == null || image == null) throw IOException("the encoder takes no images")
        val (luma, blue, red) = image.planes.map { Plane(it.buffer, it.rowStride, it.pixelStride) }
        fillYuv(pixels, width, luma, blue, red)
        codec.queueInputBuffer(place, 0, size, times.next(micros), 0)
        drain(patience = 0)
    }

    /** The file is whole after this, and not before. */
    fun finish() {
        codec.queueInputBuffer(freeInput(), 0, 0, 0, MediaCodec.BUFFER_FLAG_END_OF_STREAM)
        repeat(TRIES) {
            if (drain(PATIENCE)) {
                muxer.stop()
                return
            }
        }
        throw IOException("the encoder does not end")
    }

    override fun close() {
        codec.release()
        try {
            muxer.release()
        } catch (_: IllegalStateException) {
            // It stops first, which fails where nothing was written, or no more could be.
        }
    }

    private fun newEncoder(): MediaCodec {
        val format = MediaFormat.createVideoFormat(MediaFormat.MIMETYPE_VIDEO_AVC, width, height)
        for ((key, value) in mapOf(
            MediaFormat.KEY_COLOR_FORMAT to CodecCapabilities.COLOR_FormatYUV420Flexible,
            MediaFormat.KEY_BIT_RATE to width * height * BITS_PER_PIXEL,
            MediaFormat.KEY_FRAME_RATE to FRAMES_PER_SECOND,
            MediaFormat.KEY_I_FRAME_INTERVAL to 1,
            COLOR_STANDARD to COLOR_STANDARD_BT709,
            COLOR_RANGE to COLOR_RANGE_LIMITED,
            COLOR_TRANSFER to COLOR_TRANSFER_SDR_VIDEO,
        )) {
            format.setInteger(key, value)
        }
        val encoder = MediaCodec.createEncoderByType(MediaFormat.MIMETYPE_VIDEO_AVC)
        try {
            encoder.configure(format, null, null, MediaCodec.CONFIGURE_FLAG_ENCODE)
            encoder.start()
        } catch (error: IllegalStateException) {
            encoder.release()
            throw error
        } catch (error: IllegalArgumentException) {
            encoder.release()
            throw error
        }
        return encoder
    }

    private fun freeInput(): Int {
        repeat(TRIES) {
            val place = codec.dequeueInputBuffer(PATIENCE)
            if (place >= 0) return place
            drain(patience = 0)
        }
        throw IOException("the encoder takes no more frames")
    }

    /** Writes what is encoded by now; whether that was the last of it. */
    private fun drain(patience: Long): Boolean {
        while (true) {
            val place = codec.dequeueOutputBuffer(info, patience)
            if (place == MediaCodec.INFO_OUTPUT_FORMAT_CHANGED) {
                track = muxer.addTrack(codec.outputFormat)
                muxer.start()
                continue
            }
            if (place < 0) return false
            val ofFormat = info.flags and MediaCodec.BUFFER_FLAG_CODEC_CONFIG != 0 // the track has it
            if (info.size > 0 && !ofFormat) {
                val bytes = codec.getOutputBuffer(place) ?: throw IOException("the encoder gives no frames")
                muxer.writeSampleData(track, bytes, info)
            }
            codec.releaseOutputBuffer(place, false)
            if (info.flags and MediaCodec.BUFFER_FLAG_END_OF_STREAM != 0) return true
        }
    }

    private companion object {
        const val TRIES = 500 // five seconds
        const val BITS_PER_PIXEL = 4 // and second: 3.7 Mbit/s at 1280 x 720
        const val FRAMES_PER_SECOND = 30 // asked for; what counts are the frames' times
    }
}

/** The times of a video as MediaMuxer takes them: none below 0, each later than the one before. */
class MuxerTimes {
    private var last = -1L

    fun next(micros: Long): Long {
        last = maxOf(micros, last + 1)
        return last
    }
}
