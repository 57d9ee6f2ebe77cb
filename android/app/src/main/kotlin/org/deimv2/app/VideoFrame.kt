package org.deimv2.app

import android.content.Context
import android.media.MediaCodec
import android.media.MediaCodecInfo.CodecCapabilities
import android.media.MediaExtractor
import android.media.MediaFormat
import android.net.Uri
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.flow.flow
import org.deimv2.detector.YuvColours
import org.deimv2.detector.YuvFrame
import java.io.IOException

/** A decoded frame, valid until the next is asked for; [share] of the video, 0..1, ends with it. [micros]: its time. */
class VideoFrame(
    val frame: YuvFrame,
    val micros: Long,
    val share: Float,
)

/**
 * Every frame of a video, decoded when it is asked for, by the phone's own decoders. The flow throws IOException
 * for what is no video, and IllegalStateException for what no decoder here takes.
 */
fun videoFrames(
    context: Context,
    uri: Uri,
): Flow<VideoFrame> =
    flow {
        val extractor = MediaExtractor()
        try {
            extractor.setDataSource(context, uri, null)
            val formats = (0 until extractor.trackCount).map(extractor::getTrackFormat)
            val track = formats.indexOfFirst { it.getString(MediaFormat.KEY_MIME).orEmpty().startsWith("video/") }
            if (track < 0) throw IOException("no picture in it")
            extractor.selectTrack(track)
            decode(extractor, formats[track])
        } finally {
            extractor.release()
        }
    }

private suspend fun FlowCollector<VideoFrame>.decode(
    extractor: MediaExtractor,
    format: MediaFormat,
) {
    val codec = MediaCodec.createDecoderByType(format.getString(MediaFormat.KEY_MIME).orEmpty())
    try {
        format.setInteger(MediaFormat.KEY_COLOR_FORMAT, CodecCapabilities.COLOR_FormatYUV420Flexible)
        codec.configure(format, null, null, 0)
        codec.start()
        decode(extractor, codec, format)
    } finally {
        codec.release()
    }
}

private suspend fun FlowCollector<VideoFrame>.decode(
    extractor: MediaExtractor,
    codec: MediaCodec,
    format: MediaFormat,
) {
    val rotation = format.number(MediaFormat.KEY_ROTATION) ?: 0
    val micros = if (format.containsKey(MediaFormat.KEY_DURATION)) format.getLong(MediaFormat.KEY_DURATION) else 0
    val info = MediaCodec.BufferInfo()
    var fed = false
    do {
        currentCoroutineContext().ensureActive() // also where the decoder gives nothing
        if (!fed) fed = feed(codec, extractor)
        val place = codec.dequeueOutputBuffer(info, PATIENCE)
        if (place < 0) continue // not yet, or a format to come
        try {
            if (info.size > 0) {
                val image = codec.getOutputImage(place) ?: throw IOException("its frames cannot be read")
                val share = if (micros > 0) info.presentationTimeUs.toFloat() / micros else 0f
                val frame = YuvFrame(image, rotation, coloursOf(codec.outputFormat))
                emit(VideoFrame(frame, info.presentationTimeUs, share.coerceIn(0f, 1f)))
            }
        } finally {
            codec.releaseOutputBuffer(place, false)
        }
    } while (info.flags and MediaCodec.BUFFER_FLAG_END_OF_STREAM == 0)
}

/** Hands the decoder what it has room for; whether that was all. */
private fun feed(
    codec: MediaCodec,
    extractor: MediaExtractor,
): Boolean {
    val place = codec.dequeueInputBuffer(PATIENCE)
    if (place < 0) return false
    val buffer = codec.getInputBuffer(place) ?: return false
    val size = extractor.readSampleData(buffer, 0)
    if (size < 0) {
        codec.queueInputBuffer(place, 0, 0, 0, MediaCodec.BUFFER_FLAG_END_OF_STREAM)
    } else {
        codec.queueInputBuffer(place, 0, size, extractor.sampleTime, 0)
        extractor.advance()
    }
    return size < 0
}

/** What the file says; where it says nothing, as players take it. */
private fun coloursOf(format: MediaFormat): YuvColours {
    val limited = format.number(COLOR_RANGE) != COLOR_RANGE_FULL
    val isHigh = (format.number(MediaFormat.KEY_HEIGHT) ?: 0) >= HIGH_DEFINITION
    return when (format.number(COLOR_STANDARD)) {
        COLOR_STANDARD_BT709 -> YuvColours.bt709(limited)
        COLOR_STANDARD_BT2020 -> YuvColours.bt2020(limited)
        null, 0 -> if (isHigh) YuvColours.bt709(limited) else YuvColours.bt601(limited)
        else -> YuvColours.bt601(limited)
    }
}

private fun MediaFormat.number(key: String) = if (containsKey(key)) getInteger(key) else null

internal const val PATIENCE = 10_000L // microseconds that a codec is waited for
private const val HIGH_DEFINITION = 720

// MediaFormat's names for these came with Android 7.
internal const val COLOR_RANGE = "color-range"
private const val COLOR_RANGE_FULL = 1
internal const val COLOR_RANGE_LIMITED = 2
internal const val COLOR_STANDARD = "color-standard"
internal const val COLOR_STANDARD_BT709 = 1
private const val COLOR_STANDARD_BT2020 = 6
internal const val COLOR_TRANSFER = "color-transfer"
internal const val COLOR_TRANSFER_SDR_VIDEO = 3
