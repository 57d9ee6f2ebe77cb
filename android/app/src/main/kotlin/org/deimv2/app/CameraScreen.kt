package org.deimv2.app

import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.ui.Modifier
import org.deimv2.camera.CameraControls
import org.deimv2.camera.CameraPermission
import org.deimv2.camera.LiveView
import org.deimv2.camera.rememberLiveCamera

/** The live view, if there is a camera and the user lets us use it. */
@Composable
fun CameraScreen(model: DetectionModel) {
    Column(Modifier.fillMaxSize().verticalScroll(rememberScrollState())) {
        CameraPermission {
            val camera = rememberLiveCamera()
            LaunchedEffect(camera.isBack) { model.follow(model.tracker != null) } // other objects
            model.manifest?.let { manifest ->
                LiveView(camera, manifest, model.threshold) { model.detect(it, live = true, model.tracker) }
            }
            CameraControls(camera)
            Option(R.string.follow, model.tracker != null, model::follow)
        }
        Controls(model)
    }
}
