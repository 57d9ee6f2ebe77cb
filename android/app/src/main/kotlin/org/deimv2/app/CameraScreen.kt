package org.deimv2.app

import android.Manifest.permission.CAMERA
import android.content.Context
import android.content.Intent
import android.content.pm.PackageManager
import android.net.Uri
import android.provider.Settings
import androidx.activity.compose.LocalActivity
import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.result.contract.ActivityResultContracts.RequestPermission
import androidx.camera.core.ImageProxy
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.aspectRatio
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.Button
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Slider
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.DisposableEffect
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableFloatStateOf
import androidx.compose.runtime.mutableIntStateOf
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
import androidx.compose.ui.viewinterop.AndroidView
import androidx.core.content.ContextCompat
import androidx.lifecycle.Lifecycle
import androidx.lifecycle.compose.LifecycleEventEffect
import androidx.lifecycle.compose.LocalLifecycleOwner
import org.deimv2.detector.Plane
import org.deimv2.detector.YuvFrame

/** The live view, if there is a camera and the user lets us use it. */
@Composable
fun CameraScreen(model: DetectionModel) {
    val context = LocalContext.current
    var allowed by remember { mutableStateOf(mayUseCamera(context)) }
    LifecycleEventEffect(Lifecycle.Event.ON_RESUME) { allowed = mayUseCamera(context) } // it may come from the settings
    Column(Modifier.fillMaxSize().verticalScroll(rememberScrollState())) {
        if (!context.packageManager.hasSystemFeature(PackageManager.FEATURE_CAMERA_ANY)) {
            Text(stringResource(R.string.no_camera), Modifier.padding(16.dp))
        } else if (allowed) {
            LiveView(model)
        } else {
            AskForCamera(onAnswer = { allowed = it })
        }
        Controls(model)
    }
}

/** Asks, as long as the system does; leads to its settings, as soon as it may ask no more. */
@Composable
private fun AskForCamera(onAnswer: (Boolean) -> Unit) {
    val context = LocalContext.current
    val activity = LocalActivity.current
    var denied by remember { mutableStateOf(false) }
    var refusals by remember { mutableIntStateOf(0) } // after which the system may ask no more
    val ask =
        rememberLauncherForActivityResult(RequestPermission()) { granted ->
            denied = !granted
            // Also where the dialog was dismissed: then the system asks again.
            if (denied && activity?.shouldShowRequestPermissionRationale(CAMERA) == false) refusals++
            onAnswer(granted)
        }
    Column(Modifier.padding(16.dp), verticalArrangement = Arrangement.spacedBy(16.dp)) {
        Text(stringResource(if (denied) R.string.denied_camera else R.string.why_camera))
        if (refusals < 2) Button(onClick = { ask.launch(CAMERA) }) { Text(stringResource(R.string.allow_camera)) }
        if (refusals > 0) {
            Button(onClick = { context.startActivity(settingsOf(context)) }) {
                Text(stringResource(R.string.open_settings))
            }
        }
    }
}

@Composable
private fun LiveView(model: DetectionModel) {
    var back by rememberSaveable { mutableStateOf(true) }
    var found by remember { mutableStateOf<Found?>(null) } // in this camera's last frame
    var aspect by remember { mutableFloatStateOf(3f / 4f) }
    val camera =
        rememberCamera(model, back) {
            found = it
            // The preview shows the whole picture, whose sides the analysed frame has too.
            if (it != null) aspect = it.width.toFloat() / it.height
        }
    val shown = found
    val manifest = model.manifest
    Box(Modifier.heightIn(max = mostHeight()).aspectRatio(aspect)) {
        AndroidView(factory = { camera.view }, modifier = Modifier.fillMaxSize())
        if (shown != null && manifest != null) {
            Boxes(manifest, shown, model.threshold, Modifier.fillMaxSize(), camera.mirrored)
        }
    }
    CameraControls(camera, onSwitch = { back = !back })
    Option(R.string.follow, model.tracker != null, model::follow)
}

@Composable
private fun CameraControls(
    camera: LiveCamera,
    onSwitch: () -> Unit,
) {
    Row(Modifier.padding(horizontal = 16.dp)) {
        if (camera.hasOther) TextButton(onClick = onSwitch) { Text(stringResource(R.string.switch_camera)) }
        if (camera.hasTorch) {
            TextButton(onClick = { camera.torch = !camera.torch }) {
                Text(stringResource(if (camera.torch) R.string.torch_off else R.string.torch_on))
            }
        }
    }
    if (camera.zoomLimit > 1f) {
        val shown = stringResource(R.string.zoom, camera.zoom)
        Slider(
            value = camera.zoom,
            onValueChange = { camera.zoom = it },
            modifier = Modifier.padding(horizontal = 16.dp).semantics { contentDescription = shown },
            valueRange = 1f..camera.zoomLimit,
        )
    }
    if (camera.isHot) Text(stringResource(R.string.hot), Modifier.padding(16.dp))
    camera.problem?.let { Text(it, Modifier.padding(16.dp), MaterialTheme.colorScheme.error) }
}

/** The back or the front camera, bound while this is on the screen; [onFound] is told of every frame. */
@Composable
private fun rememberCamera(
    model: DetectionModel,
    back: Boolean,
    onFound: (Found?) -> Unit,
): LiveCamera {
    val context = LocalContext.current
    val owner = LocalLifecycleOwner.current
    val camera =
        remember {
            LiveCamera(context) { image -> onFound(model.detect(frameOf(image), live = true, model.tracker)) }
        }
    val side = model.manifest?.let { maxOf(it.inputHeight, it.inputWidth) } ?: return camera
    LaunchedEffect(back, side) {
        onFound(null) // of another camera
        model.follow(model.tracker != null) // other objects
        camera.bind(owner, back, side)
    }
    DisposableEffect(owner) {
        camera.open()
        onDispose { camera.close() }
    }
    return camera
}

private fun settingsOf(context: Context) =
    Intent(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, Uri.fromParts("package", context.packageName, null))

private fun mayUseCamera(context: Context) =
    ContextCompat.checkSelfPermission(context, CAMERA) == PackageManager.PERMISSION_GRANTED

private fun frameOf(image: ImageProxy): YuvFrame {
    val (y, u, v) = image.planes.map { Plane(it.buffer, it.rowStride, it.pixelStride) }
    return YuvFrame(y, u, v, image.width, image.height, image.imageInfo.rotationDegrees)
}
