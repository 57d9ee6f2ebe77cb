package org.deimv2.camera

import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Slider
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp

/** The other camera, light and zoom, where there are such, and why no picture comes. */
@Composable
fun CameraControls(camera: LiveCamera) {
    Row(Modifier.padding(horizontal = 16.dp)) {
        if (camera.hasOther) {
            TextButton(onClick = { camera.isBack = !camera.isBack }) {
                Text(stringResource(R.string.deimv2_switch_camera))
            }
        }
        if (camera.hasTorch) {
            TextButton(onClick = { camera.torch = !camera.torch }) {
                Text(stringResource(if (camera.torch) R.string.deimv2_torch_off else R.string.deimv2_torch_on))
            }
        }
    }
    if (camera.zoomLimit > 1f) {
        val shown = stringResource(R.string.deimv2_zoom, camera.zoom)
        Slider(
            value = camera.zoom,
            onValueChange = { camera.zoom = it },
            modifier = Modifier.padding(horizontal = 16.dp).semantics { contentDescription = shown },
            valueRange = 1f..camera.zoomLimit,
        )
    }
    if (camera.isHot) Text(stringResource(R.string.deimv2_hot), Modifier.padding(16.dp))
    camera.problem?.let { Text(it, Modifier.padding(16.dp), MaterialTheme.colorScheme.error) }
}
