package org.deimv2.app

import android.content.Context
import android.graphics.Bitmap
import android.net.Uri
import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.result.PickVisualMediaRequest
import androidx.activity.result.contract.ActivityResultContracts.PickVisualMedia
import androidx.annotation.StringRes
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
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.isActive
import kotlinx.coroutines.withContext
import org.deimv2.camera.Found
import org.deimv2.camera.Heat
import org.deimv2.camera.Marked
import org.deimv2.camera.language
import org.deimv2.detector.DetectorException
import org.deimv2.detector.Tracker
import java.io.IOException

private const val LONGEST_SIDE = 960 // of a frame as it is shown
private const val LONGEST_SAVED = 1280 // what phones' encoders take, H.264 of 1280 x 720 and upright as well

/** A frame of the video, what was found in it, and how much of the video has been seen, 0..1. */
class Seen(
    val picture: Bitmap,
    val found: Found?,
    val share: Float,
)

/** How a video ended: the text that says what failed, and where it is saved. */
private class Ended(
    @StringRes val problem: Int? = null,
    val saved: Uri? = null,
)

/** A video from the phone: all of its frames in turn, with what is found in them, objects followed. */
@Composable
fun VideoScreen(model: DetectionModel) {
    val context = LocalContext.current
    var uri by rememberSaveable { mutableStateOf<Uri?>(null) } // null once it is done or stopped
    var save by rememberSaveable { mutableStateOf(false) }
    var seen by remember { mutableStateOf<Seen?>(null) }
    var ended by remember { mutableStateOf(Ended()) }
    val pick = rememberLauncherForActivityResult(PickVisualMedia()) { picked -> uri = picked ?: uri }
    LaunchedEffect(uri) {
        val picked = uri ?: return@LaunchedEffect
        seen = null
        ended = Ended()
        ended = watch(context, picked, model, save) { seen = it }
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
        // Not in the middle of a video: half of one is not saved.
        if (Gallery.isOffered && uri == null) Option(R.string.save_video, save) { save = it }
        seen?.let {
            Marked(it.picture, stringResource(R.string.video), it.found, model.threshold)
            val progress = stringResource(R.string.progress, it.share * 100)
            LinearProgressIndicator({ it.share }, Modifier.fillMaxWidth().semantics { contentDescription = progress })
            if (uri != null && save) Text(stringResource(R.string.saving, it.share * 100), Modifier.padding(16.dp))
        }
        Ending(ended)
        Controls(model)
    }
}

@Composable
private fun Ending(ended: Ended) {
    val context = LocalContext.current
    ended.problem?.let { Text(stringResource(it), Modifier.padding(16.dp), MaterialTheme.colorScheme.error) }
    ended.saved?.let {
        Column(Modifier.padding(16.dp)) {
            Text(stringResource(R.string.saved_video))
            Button(onClick = { Gallery.share(context, it, Gallery.VIDEO) }) {
                Text(stringResource(R.string.share_video))
            }
        }
    }
}

/** Until the last frame, or until it is cancelled. [save]: also into the gallery, with its boxes. */
private suspend fun watch(
    context: Context,
    uri: Uri,
    model: DetectionModel,
    save: Boolean,
    show: (Seen) -> Unit,
): Ended =
    withContext(Dispatchers.Default) {
        try {
            if (save) {
                withTemporaryFile(context.cacheDir) { file ->
                    SavedVideo(file, model, context.resources.configuration.language).use { video ->
                        watch(context, uri, model, LONGEST_SAVED) { seen, micros ->
                            video.add(seen, micros)
                            show(seen)
                        }
                        val saved = video.publish(context)
                        if (!isActive) Gallery.delete(context, saved) // stopped while it was copied
                        Ended(saved = saved)
                    }
                }
            } else {
                watch(context, uri, model, LONGEST_SIDE) { seen, _ -> show(seen) }
                Ended()
            }
        } catch (error: CancellationException) {
            throw error // it is an IllegalStateException, too
        } catch (_: NotSavedException) {
            Ended(R.string.video_not_saved)
        } catch (_: IOException) {
            Ended(R.string.bad_video)
        } catch (_: IllegalStateException) {
            Ended(R.string.bad_video)
        } catch (_: IllegalArgumentException) {
            Ended(R.string.bad_video)
        } catch (_: SecurityException) {
            // the video is no longer shared with us
            Ended(R.string.bad_video)
        } catch (_: DetectorException) {
            // ten bits a colour
            Ended(R.string.bad_video)
        }
    }

/** Throws IOException where there is no frame. */
private suspend fun watch(
    context: Context,
    uri: Uri,
    model: DetectionModel,
    longest: Int,
    take: (Seen, Long) -> Unit,
) {
    var isEmpty = true
    val tracker = Tracker()
    val heat = Heat(context)
    Pictures(longest).use { pictures ->
        videoFrames(context, uri).collect {
            isEmpty = false
            val found = model.detect(it.frame, live = true, tracker)
            take(Seen(pictures.of(it.frame), found, it.share), it.micros)
            if (heat.isHot) delay(Heat.REST)
        }
    }
    if (isEmpty) throw IOException("a video without frames")
}
