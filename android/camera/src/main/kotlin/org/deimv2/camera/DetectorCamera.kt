package org.deimv2.camera

import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.aspectRatio
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.DisposableEffect
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableFloatStateOf
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberUpdatedState
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import androidx.compose.ui.viewinterop.AndroidView
import androidx.lifecycle.compose.LocalLifecycleOwner
import kotlinx.coroutines.awaitCancellation
import org.deimv2.detector.Artifacts
import org.deimv2.detector.Detector
import org.deimv2.detector.DetectorException
import org.deimv2.detector.Frame
import org.deimv2.detector.FrameRate
import org.deimv2.detector.Manifest

/**
 * The camera with what is found in it, by the export below [folder] of the app's assets, which is open as long as
 * this is on the screen ([Detector.open]). Asks for the camera's permission, and says in words what fails.
 */
@Composable
fun DetectorCamera(
    modifier: Modifier = Modifier,
    folder: String = Artifacts.FOLDER,
) {
    val context = LocalContext.current
    var detector by remember { mutableStateOf<Detector?>(null) }
    var problem by remember { mutableStateOf<String?>(null) }
    LaunchedEffect(folder) {
        problem = null
        try {
            Detector.open(context.applicationContext, folder).use {
                detector = it
                awaitCancellation()
            }
        } catch (error: DetectorException) {
            problem = error.message
        } finally {
            detector = null
        }
    }
    val opened = detector
    val failed = problem
    if (opened != null) {
        DetectorCamera(opened, modifier)
    } else if (failed != null) {
        Column(modifier) { Problem(failed) }
    } else {
        Column(modifier) { Text(stringResource(R.string.deimv2_opening), Modifier.padding(16.dp)) }
    }
}

/**
 * The camera with what [detector] finds in it above [threshold]. [onFound] is told of every frame, on a thread of
 * the camera. The detector stays the caller's, to be closed after this has left the screen.
 */
@Composable
fun DetectorCamera(
    detector: Detector,
    modifier: Modifier = Modifier,
    threshold: Float = detector.manifest.scoreThreshold,
    onFound: (Found) -> Unit = {},
) {
    val camera = rememberLiveCamera()
    val rate = remember { FrameRate() }
    var problem by remember { mutableStateOf<String?>(null) }
    Column(modifier) {
        CameraPermission {
            LiveView(camera, detector.manifest, threshold) { frame ->
                try {
                    val found = Found(detector.manifest, detector.detect(frame), rate.count(System.nanoTime()))
                    problem = null
                    onFound(found)
                    found
                } catch (error: DetectorException) {
                    problem = error.message
                    null
                }
            }
            CameraControls(camera)
            problem?.let { Problem(it) }
        }
    }
}

/**
 * The picture of a [camera] that may be used, with what [detect] finds in each frame, null for nothing to show. It is
 * called on a thread of the camera, and the frame is valid until it returns. [manifest]: for frames that are not
 * smaller than its input.
 */
@Composable
fun LiveView(
    camera: LiveCamera,
    manifest: Manifest,
    threshold: Float,
    detect: suspend (Frame) -> Found?,
) {
    val owner = LocalLifecycleOwner.current
    val latest by rememberUpdatedState(detect)
    var found by remember { mutableStateOf<Found?>(null) } // in this camera's last frame
    var aspect by remember { mutableFloatStateOf(3f / 4f) }
    val side = maxOf(manifest.inputHeight, manifest.inputWidth)
    LaunchedEffect(camera.isBack, side) {
        found = null // of another camera
        camera.bind(owner, side) { frame ->
            found = latest(frame)
            aspect = frame.uprightWidth.toFloat() / frame.uprightHeight // the preview's, too
        }
    }
    DisposableEffect(owner) {
        camera.open()
        onDispose { camera.close() }
    }
    Box(Modifier.heightIn(max = mostHeight()).aspectRatio(aspect)) {
        AndroidView(factory = { camera.view }, modifier = Modifier.fillMaxSize())
        found?.let { Boxes(it, threshold, Modifier.fillMaxSize(), camera.mirrored) }
    }
}

@Composable
private fun Problem(text: String) = Text(text, Modifier.padding(16.dp), MaterialTheme.colorScheme.error)
