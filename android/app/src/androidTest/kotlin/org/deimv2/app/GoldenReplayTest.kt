package org.deimv2.app

import androidx.test.platform.app.InstrumentationRegistry
import kotlinx.coroutines.runBlocking
import org.deimv2.detector.Accelerator
import org.deimv2.detector.Artifacts
import org.deimv2.detector.Detector
import org.deimv2.detector.Golden
import org.deimv2.detector.LiteRtDetector
import org.deimv2.detector.Manifest
import org.deimv2.detector.ModelFile
import org.deimv2.detector.Replay
import kotlin.test.Test
import kotlin.test.assertEquals

/** On a device or an emulator: every artifact in the app detects on the CPU what PyTorch detects. */
class GoldenReplayTest {
    private val context = InstrumentationRegistry.getInstrumentation().targetContext

    @Test
    fun everyArtifactPassesOnTheCpu() =
        runBlocking {
            for (folder in Artifacts.folders(context)) {
                val manifest = Artifacts.read(context, folder)
                val goldens = Golden.read(manifest)
                for (file in manifest.runnable()) {
                    val replay = opened(manifest, file).use { Replay.of(it, goldens) }
                    assertEquals(emptyList(), replay.problems, "${replay.artifact} on ${replay.runsOn}")
                }
            }
        }

    private suspend fun opened(
        manifest: Manifest,
        file: ModelFile,
    ): Detector =
        if (file.format == LiteRtDetector.FORMAT) {
            LiteRtDetector.open(context, manifest, file, listOf(Accelerator.CPU))
        } else {
            Detector.open(context, manifest, file)
        }
}
