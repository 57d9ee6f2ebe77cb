package org.deimv2.app

import androidx.annotation.StringRes
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.selection.toggleable
import androidx.compose.material3.DropdownMenu
import androidx.compose.material3.DropdownMenuItem
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Slider
import androidx.compose.material3.Switch
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.DisposableEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalView
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.Role
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import org.deimv2.detector.LiteRtDetector

/** Model, processor and threshold; below them what runs, how fast, and what went wrong. */
@Composable
fun Controls(model: DetectionModel) {
    Column(Modifier.padding(horizontal = 16.dp)) {
        ModelMenu(model)
        val shown = stringResource(R.string.threshold, model.threshold)
        Text(shown)
        Slider(
            value = model.threshold,
            onValueChange = { model.threshold = it },
            modifier = Modifier.semantics { contentDescription = shown },
        )
        Text(speedOf(model))
        for (line in model.slower) Text(line)
        model.problem?.let {
            Text(it, color = MaterialTheme.colorScheme.error)
            TextButton(onClick = model::tryAgain) { Text(stringResource(R.string.try_again)) }
        }
    }
}

/** A switch whose whole line can be touched. */
@Composable
fun Option(
    @StringRes title: Int,
    on: Boolean,
    onChange: (Boolean) -> Unit,
) {
    Row(
        Modifier
            .fillMaxWidth()
            .toggleable(on, role = Role.Switch, onValueChange = onChange)
            .padding(16.dp),
        horizontalArrangement = Arrangement.SpaceBetween,
    ) {
        Text(stringResource(title))
        Switch(checked = on, onCheckedChange = null)
    }
}

/** As long as this is on the screen, and [on]. */
@Composable
fun KeepScreenOn(on: Boolean) {
    val view = LocalView.current
    DisposableEffect(on) {
        view.keepScreenOn = on
        onDispose { view.keepScreenOn = false }
    }
}

@Composable
private fun speedOf(model: DetectionModel): String {
    val runsOn = model.runsOn ?: return stringResource(if (model.failed) R.string.not_open else R.string.opening)
    val found = model.found ?: return runsOn
    return stringResource(
        R.string.speed,
        runsOn,
        found.detections.inferenceNanos / 1e6,
        found.detections.preprocessNanos / 1e6,
        found.framesPerSecond,
    )
}

@Composable
private fun ModelMenu(model: DetectionModel) {
    var open by remember { mutableStateOf(false) }
    Box {
        TextButton(onClick = { open = true }) {
            Text(stringResource(R.string.model, model.choice?.let { titleOf(it) }.orEmpty()))
        }
        DropdownMenu(expanded = open, onDismissRequest = { open = false }) {
            for (choice in model.choices) {
                DropdownMenuItem(
                    text = { Text(titleOf(choice)) },
                    onClick = {
                        open = false
                        model.choose(choice)
                    },
                )
            }
        }
    }
}

@Composable
private fun titleOf(choice: Selection): String {
    val file = choice.file
    val precision = choice.manifest.precision
    val memory = file.memoryMb
    val name =
        if (memory == null) {
            stringResource(R.string.file, file.name, precision, file.bytes / 1e6)
        } else {
            stringResource(R.string.file_and_memory, file.name, precision, file.bytes / 1e6, memory)
        }
    if (file.format != LiteRtDetector.FORMAT) return name
    return "$name · ${choice.accelerator ?: stringResource(R.string.fastest)}"
}
