package org.deimv2.app

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
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import org.deimv2.camera.Marked

/** A video from the phone, with what is found in its frames, and how it ended. */
@Composable
fun VideoScreen(
    model: DetectionModel,
    video: VideoModel,
) {
    var save by rememberSaveable { mutableStateOf(false) }
    val pick =
        rememberLauncherForActivityResult(PickVisualMedia()) { picked ->
            if (picked != null) video.start(picked, model, save)
        }
    KeepScreenOn(video.running)
    Column(Modifier.fillMaxSize().verticalScroll(rememberScrollState())) {
        Row(Modifier.padding(16.dp)) {
            Button(onClick = { pick.launch(PickVisualMediaRequest(PickVisualMedia.VideoOnly)) }) {
                Text(stringResource(R.string.pick_video))
            }
            if (video.running) TextButton(onClick = video::stop) { Text(stringResource(R.string.stop)) }
        }
        // Not in the middle of a video: half of one is not saved.
        if (Gallery.isOffered && !video.running) Option(R.string.save_video, save) { save = it }
        video.seen?.let {
            Marked(it.picture, stringResource(R.string.video), it.found, model.threshold)
            val progress = stringResource(R.string.progress, it.share * 100)
            LinearProgressIndicator({ it.share }, Modifier.fillMaxWidth().semantics { contentDescription = progress })
            if (video.running && save) Text(stringResource(R.string.saving, it.share * 100), Modifier.padding(16.dp))
        }
        Ending(video.ended)
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
