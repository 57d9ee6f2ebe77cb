package org.deimv2.app

import android.app.Application
import android.os.Build
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableFloatStateOf
import androidx.compose.runtime.mutableIntStateOf
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.setValue
import androidx.lifecycle.AndroidViewModel
import androidx.lifecycle.viewModelScope
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.launch
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext
import org.deimv2.camera.Found
import org.deimv2.camera.Heat
import org.deimv2.detector.Accelerator
import org.deimv2.detector.Artifacts
import org.deimv2.detector.Benchmark
import org.deimv2.detector.Detector
import org.deimv2.detector.DetectorException
import org.deimv2.detector.Frame
import org.deimv2.detector.FrameRate
import org.deimv2.detector.Golden
import org.deimv2.detector.LiteRtDetector
import org.deimv2.detector.Manifest
import org.deimv2.detector.ModelFile
import org.deimv2.detector.Replay
import org.deimv2.detector.Tracker
import org.deimv2.detector.Trials

/** A model and the processor to run it on; null: the fastest that passes the check, or the only one. */
data class Selection(
    val manifest: Manifest,
    val file: ModelFile,
    val accelerator: Accelerator?,
)

/** What all screens share. It outlives a turned phone. */
class DetectionModel(
    application: Application,
) : AndroidViewModel(application) {
    /** The files of all exports in the app's assets. */
    var choices by mutableStateOf(emptyList<Selection>())
        private set
    var choice by mutableStateOf<Selection?>(null)
        private set
    val manifest get() = choice?.manifest

    /** Runtime and processor; null while no model is open. */
    var runsOn by mutableStateOf<String?>(null)
        private set

    /** How many were opened: what was done with one is done again with the next. */
    var openings by mutableIntStateOf(0)
        private set

    /** None will be: [problem] says why. */
    var failed by mutableStateOf(false)
        private set

    /** Other processors, which would do as well. */
    var slower by mutableStateOf(emptyList<String>())
        private set
    var problem by mutableStateOf<String?>(null)
        private set
    var threshold by mutableFloatStateOf(0.4f)

    /** Gives the camera's objects ids that stay; null where they are not followed. */
    var tracker by mutableStateOf<Tracker?>(null)
        private set
    var found by mutableStateOf<Found?>(null)
        private set
    var replays by mutableStateOf(emptyList<Replay>())
        private set
    var checking by mutableStateOf(false)
        private set

    private val using = Mutex()
    private var detector: Detector? = null
    private var fallbacks: String? = null // of the detector
    private val rate = FrameRate()

    init {
        viewModelScope.launch {
            said(opens = true) {
                choices =
                    Artifacts.folders(application).flatMap { folder ->
                        val read = Artifacts.read(application, folder)
                        read.runnable().flatMap { choicesOf(read, it) }
                    }
                choose(choices.first())
            }
        }
    }

    fun choose(next: Selection) {
        if (next.manifest.folder != manifest?.folder) threshold = next.manifest.scoreThreshold
        choice = next
        found = null
        follow(tracker != null) // by other scores
        reset()
        viewModelScope.launch { using.withLock { open(next) } }
    }

    /** From now on anew. */
    fun follow(on: Boolean) {
        tracker = if (on) Tracker() else null
    }

    /**
     * Detects in a frame that stays valid until this returns, and shows it; null while no model is open, and
     * where it failed. [live]: of a camera or a video.
     */
    suspend fun detect(
        frame: Frame,
        live: Boolean,
        tracker: Tracker? = null,
    ): Found? {
        var result: Found? = null
        said {
            using.withLock {
                val detector = detector ?: return@withLock
                val detections = detector.detect(frame)
                val ids = tracker?.update(detections, threshold)
                val perSecond = if (live) rate.count(System.nanoTime()) else 0.0
                result = Found(detector.manifest, detections, perSecond, ids)
                found = result
                problem = fallbacks // no longer what a frame before failed of
            }
        }
        return result
    }

    /** Replays the golden photographs with every model, on each processor that takes it; [timed]: and times it. */
    fun checkPhone(timed: Boolean) {
        val manifest = manifest ?: return
        checking = true
        replays = emptyList()
        viewModelScope.launch {
            said {
                using.withLock {
                    val goldens = withContext(Dispatchers.IO) { Golden.read(manifest) }
                    close()
                    for (file in manifest.runnable()) replay(manifest, file, goldens, timed)
                    choice?.let { open(it) }
                }
            }
            checking = false
        }
    }

    /** The JSON of `deimv2 verify --json`, measured on this phone. */
    fun report(): String {
        val device = "${Build.MANUFACTURER} ${Build.MODEL}, Android ${Build.VERSION.RELEASE}"
        return Replay.report(manifest?.folder?.name ?: Artifacts.FOLDER, device, replays).toString(2)
    }

    /** Once the frame that is running is done. */
    override fun onCleared() {
        CoroutineScope(Dispatchers.Default).launch { using.withLock { close() } }
    }

    /** Forgets what failed before, and measures anew. */
    fun tryAgain() {
        viewModelScope.launch {
            Trials.of(getApplication()).forget()
            choice?.let(::choose)
        }
    }

    private suspend fun replay(
        manifest: Manifest,
        file: ModelFile,
        goldens: List<Golden>,
        timed: Boolean,
    ) {
        val heat = Heat(getApplication())
        val selections = choicesOf(manifest, file)
        for (selection in selections.filter { it.accelerator != null || file.format != LiteRtDetector.FORMAT }) {
            val replay =
                try {
                    newDetector(selection).use {
                        val replay = Replay.of(it, goldens)
                        if (timed) replay.copy(benchmark = Benchmark.of(it, heat = heat::state)) else replay
                    }
                } catch (error: DetectorException) {
                    Replay.failed(manifest, file, error)
                }
            replays = replays + replay
        }
    }

    private suspend fun open(selection: Selection) {
        close()
        said(opens = true) {
            val opened = newDetector(selection)
            detector = opened
            openings++
            runsOn = opened.runsOn
            slower = opened.slower
            fallbacks = opened.fallbacks.joinToString("\n").ifEmpty { null }
            problem = fallbacks
        }
    }

    /** As long as a model opens. */
    private fun reset() {
        runsOn = null
        failed = false
        slower = emptyList()
        fallbacks = null
        problem = null
    }

    private suspend fun newDetector(selection: Selection): Detector {
        val (manifest, file, accelerator) = selection
        return if (accelerator == null) {
            Detector.open(getApplication(), manifest, file)
        } else {
            LiteRtDetector.open(getApplication(), manifest, file, listOf(accelerator))
        }
    }

    private fun choicesOf(
        manifest: Manifest,
        file: ModelFile,
    ): List<Selection> {
        val accelerators = if (file.format == LiteRtDetector.FORMAT) Accelerator.of(file) else emptyList()
        return (listOf(null) + accelerators).map { Selection(manifest, file, it) }
    }

    private fun close() {
        detector?.close()
        detector = null
        reset()
    }

    /** [opens]: where it throws, no model is open. */
    private suspend fun said(
        opens: Boolean = false,
        block: suspend () -> Unit,
    ) {
        try {
            block()
        } catch (error: DetectorException) {
            failed = failed || opens
            problem = error.message
        }
    }
}
