package org.deimv2.camera

import android.Manifest.permission.CAMERA
import android.content.Context
import android.content.Intent
import android.content.pm.PackageManager
import android.net.Uri
import android.provider.Settings
import androidx.activity.compose.LocalActivity
import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.result.contract.ActivityResultContracts.RequestPermission
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.Button
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableIntStateOf
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import androidx.core.content.ContextCompat
import androidx.lifecycle.Lifecycle
import androidx.lifecycle.compose.LifecycleEventEffect

/** Shows [content] once the user lets us use the camera; until then it asks, and says what is in the way. */
@Composable
fun CameraPermission(content: @Composable () -> Unit) {
    val context = LocalContext.current
    var allowed by remember { mutableStateOf(mayUseCamera(context)) }
    LifecycleEventEffect(Lifecycle.Event.ON_RESUME) { allowed = mayUseCamera(context) } // it may come from the settings
    if (!context.packageManager.hasSystemFeature(PackageManager.FEATURE_CAMERA_ANY)) {
        Text(stringResource(R.string.deimv2_no_camera), Modifier.padding(16.dp))
    } else if (allowed) {
        content()
    } else {
        AskForCamera(onAnswer = { allowed = it })
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
        Text(stringResource(if (denied) R.string.deimv2_denied_camera else R.string.deimv2_why_camera))
        if (refusals < 2) {
            Button(onClick = { ask.launch(CAMERA) }) { Text(stringResource(R.string.deimv2_allow_camera)) }
        }
        if (refusals > 0) {
            Button(onClick = { context.startActivity(settingsOf(context)) }) {
                Text(stringResource(R.string.deimv2_open_settings))
            }
        }
    }
}

private fun settingsOf(context: Context) =
    Intent(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, Uri.fromParts("package", context.packageName, null))

private fun mayUseCamera(context: Context) =
    ContextCompat.checkSelfPermission(context, CAMERA) == PackageManager.PERMISSION_GRANTED
