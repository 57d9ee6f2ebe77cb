package org.deimv2.app

import android.content.Context
import android.graphics.Bitmap
import android.net.Uri
import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.result.PickVisualMediaRequest
import androidx.activity.result.contract.ActivityResultContracts.PickVisualMedia
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.Button
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.DisposableEffect
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.platform.LocalView
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.withContext
import org.deimv2.detector.DetectorException
import org.deimv2.detector.Frame
import org.deimv2.detector.Preprocessor
import org.deimv2.detector.Tracker
import java.io.IOException

private const val LONGEST_SIDE = 960 // of a frame as it is shown

/** A frame of the video, what was found in it, and how much of the video has been seen, 0..1. */
private class Seen(
    val picture: Bitmap,
    val found: Found?,
    val share: Float,
)

/** A video from the phone: all of its frames in turn, with what is found in them, objects followed. */
@Composable
fun VideoScreen(model: DetectionModel) {
    val context = LocalContext.current
    var uri by rememberSaveable { mutableStateOf<Uri?>(null) } // null once it is done or stopped
    var seen by remember { mutableStateOf<Seen?>(null) }
    var failed by remember { mutableStateOf(false) }
    val pick = rememberLauncherForActivityResult(PickVisualMedia()) { picked -> uri = picked ?: uri }
    LaunchedEffect(uri) {
        val picked = uri ?: return@LaunchedEffect
        seen = null
        failed = !watch(context, picked, model) { seen = it }
        uri = null
    }
    KeepScreenOn(uri != null)
    Column(Modifier.fillMaxSize().verticalScroll(rememberScrollState())) {
        Row(Modifier.padding(16.dp)) {
            Button(onClick = { pick.launch(PickVisualMediaRequest(PickVisualMedia.VideoOnly)) }) {
                Text(stringResource(R.string.pick_video))
            }
            if (uri != null) TextButton(onClick = { uri = null }) { Text(stringResource(R.string.stop)) }
        }
        seen?.let {
            Marked(model, it.picture, stringResource(R.string.video), it.found)
            val progress = stringResource(R.string.progress, it.share * 100)
            LinearProgressIndicator({ it.share }, Modifier.fillMaxWidth().semantics { contentDescription = progress })
        }
        if (failed) Text(stringResource(R.string.bad_video), Modifier.padding(16.dp), MaterialTheme.colorScheme.error)
        Controls(model)
    }
}

/** Until the last frame, or until it is cancelled; false where the video cannot be shown. */
private suspend fun watch(
    context: Context,
    uri: Uri,
    model: DetectionModel,
    show: (Seen) -> Unit,
): Boolean =
    withContext(Dispatchers.Default) {
        val tracker = Tracker()
        val pictures = Pictures()
        val heat = Heat(context)
        try {
            videoFrames(context, uri).collect {
                val found = model.detect(it.frame, live = true, tracker)
                show(Seen(pictures.of(it.frame), found, it.share))
                if (heat.isHot) delay(Heat.REST)
            }
            true
        } catch (error: CancellationException) {
            throw error // it is an IllegalStateException, too
        } catch (_: IOException) {
            false
        } catch (_: IllegalStateException) {
            false
        } catch (_: IllegalArgumentException) {
            false
        } catch (_: SecurityException) {
            // the video is no longer shared with us
            false
        } catch (_: DetectorException) {
            // ten bits a colour
            false
        } finally {
            pictures.close()
        }
    }

/** Frames as bitmaps, upright, no larger than the screen needs them. */
private class Pictures : AutoCloseable {
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
            val longest = maxOf(frame.width, frame.height)
            val shown = minOf(longest, LONGEST_SIDE)
            width = maxOf(1, frame.uprightWidth * shown / longest)
            height = maxOf(1, frame.uprightHeight * shown / longest)
            pixels = IntArray(width * height)
            Preprocessor(height, width).also { scaler = it }
        }

    override fun close() {
        scaler?.close()
    }
}

@Composable
private fun KeepScreenOn(on: Boolean) {
    val view = LocalView.current
    DisposableEffect(on) {
        view.keepScreenOn = on
        onDispose { view.keepScreenOn = false }
    }
}
