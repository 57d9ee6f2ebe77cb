package org.deimv2.app

import androidx.test.platform.app.InstrumentationRegistry
import kotlinx.coroutines.runBlocking
import org.deimv2.detector.Accelerator
import org.deimv2.detector.Artifacts
import org.deimv2.detector.Detector
import org.deimv2.detector.ExecuTorchDetector
import org.deimv2.detector.Golden
import org.deimv2.detector.LiteRtDetector
import org.deimv2.detector.Replay
import kotlin.test.Test
import kotlin.test.assertEquals

/** On a device or an emulator: every artifact in the app detects on the CPU what PyTorch detects. */
class GoldenReplayTest {
    private val context = InstrumentationRegistry.getInstrumentation().targetContext

    @Test
    fun everyArtifactPassesOnTheCpu() =
        runBlocking {
            val manifest = Artifacts.read(context)
            val goldens = Golden.read(manifest)
            for (file in manifest.runnable()) {
                val detector: Detector =
                    when (file.format) {
                        LiteRtDetector.FORMAT -> {
                            LiteRtDetector.open(context, manifest, file, listOf(Accelerator.CPU))
                        }

                        else -> {
                            ExecuTorchDetector.open(context, manifest, file)
                        }
                    }
                val replay = detector.use { Replay.of(it, goldens) }
                assertEquals(emptyList(), replay.problems, "${replay.artifact} on ${replay.runsOn}")
            }
        }
}
