package org.deimv2.app

import android.content.Intent
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.Button
import androidx.compose.material3.Card
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import org.deimv2.detector.Benchmark
import org.deimv2.detector.Latency
import org.deimv2.detector.Replay

/** Replays the golden photographs here: does this phone detect what PyTorch detects? */
@Composable
fun CheckScreen(model: DetectionModel) {
    val context = LocalContext.current
    KeepScreenOn(model.checking)
    Column(
        Modifier.fillMaxSize().verticalScroll(rememberScrollState()).padding(16.dp),
        verticalArrangement = Arrangement.spacedBy(16.dp),
    ) {
        Text(stringResource(R.string.why_check, model.manifest?.golden?.size ?: 0))
        val ready = model.manifest != null && !model.checking
        Button(onClick = { model.checkPhone(timed = false) }, enabled = ready) {
            Text(stringResource(R.string.check_phone))
        }
        Button(onClick = { model.checkPhone(timed = true) }, enabled = ready) {
            Text(stringResource(R.string.check_and_time))
        }
        if (model.checking) {
            val checking = stringResource(R.string.checking)
            LinearProgressIndicator(Modifier.fillMaxWidth().semantics { contentDescription = checking })
        }
        for (replay in model.replays) ReplayCard(replay)
        if (model.replays.isNotEmpty() && !model.checking) {
            Button(onClick = {
                // As text, which every app that takes texts is offered for.
                val send = Intent(Intent.ACTION_SEND).setType("text/plain").putExtra(Intent.EXTRA_TEXT, model.report())
                context.startActivity(Intent.createChooser(send, null))
            }) { Text(stringResource(R.string.share)) }
        }
        model.problem?.let { Text(it, color = MaterialTheme.colorScheme.error) }
    }
}

@Composable
private fun ReplayCard(replay: Replay) {
    Card(Modifier.fillMaxWidth()) {
        Column(Modifier.padding(16.dp)) {
            Text(
                stringResource(if (replay.passed) R.string.passed else R.string.failed),
                color = if (replay.passed) MaterialTheme.colorScheme.primary else MaterialTheme.colorScheme.error,
            )
            Text(stringResource(R.string.row, replay.artifact, replay.runsOn))
            replay.parity?.let {
                Text(
                    stringResource(
                        R.string.numbers,
                        it.matched,
                        it.counted,
                        it.boxPx.worst,
                        it.score.worst,
                        Latency.of(replay.milliseconds)?.p50 ?: 0.0,
                    ),
                )
            }
            replay.benchmark?.let { Timed(it) }
            for (line in replay.problems + replay.fallbacks) Text(line)
        }
    }
}

@Composable
private fun Timed(benchmark: Benchmark) {
    val prepare = benchmark.prepare
    val run = benchmark.run
    Text(stringResource(R.string.timed, benchmark.runs, benchmark.frame, prepare.p50, prepare.p95, run.p50, run.p95))
    benchmark.threads?.let { Text(stringResource(R.string.threads, it)) }
    val (before, after) = benchmark.heat
    if (before != null && after != null) Text(stringResource(R.string.heat, before, after))
}
