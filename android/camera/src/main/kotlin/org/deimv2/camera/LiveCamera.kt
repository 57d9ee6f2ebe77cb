package org.deimv2.camera

import android.content.Context
import android.hardware.display.DisplayManager
import android.os.Build
import android.util.Size
import androidx.camera.core.Camera
import androidx.camera.core.CameraInfoUnavailableException
import androidx.camera.core.CameraSelector
import androidx.camera.core.CameraState
import androidx.camera.core.ImageAnalysis
import androidx.camera.core.ImageProxy
import androidx.camera.core.InitializationException
import androidx.camera.core.MirrorMode
import androidx.camera.core.Preview
import androidx.camera.core.resolutionselector.AspectRatioStrategy
import androidx.camera.core.resolutionselector.ResolutionSelector
import androidx.camera.core.resolutionselector.ResolutionStrategy
import androidx.camera.lifecycle.ProcessCameraProvider
import androidx.camera.lifecycle.awaitInstance
import androidx.camera.view.PreviewView
import androidx.compose.runtime.Composable
import androidx.compose.runtime.MutableState
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableFloatStateOf
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.platform.LocalContext
import androidx.lifecycle.LifecycleOwner
import androidx.lifecycle.Observer
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.runBlocking
import org.deimv2.detector.Plane
import org.deimv2.detector.YuvFrame
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.ThreadPoolExecutor
import java.util.concurrent.TimeUnit

/**
 * The phone's camera, as [LiveView] shows it. The latest frame is searched whenever the last is done, off the main
 * thread.
 *
 * Preview and frames have the display's rotation, not the motion sensor's, and sides of the same
 * ratio: a box lies over what it was found on also where the phone's auto-rotation is off.
 */
class LiveCamera internal constructor(
    private val context: Context,
    back: MutableState<Boolean>,
) {
    /** Which side's camera is wanted; where there is none, the other side's is taken. */
    var isBack by back

    internal val view =
        PreviewView(context).apply {
            scaleType = PreviewView.ScaleType.FIT_CENTER
            keepScreenOn = true
        }
    var hasTorch by mutableStateOf(false)
        private set
    var zoomLimit by mutableFloatStateOf(1f)
        private set

    /** Before Android 13 the front camera's picture is mirrored, as no app can prevent; its frames are not. */
    var mirrored by mutableStateOf(false)
        private set
    var problem by mutableStateOf<String?>(null)
        private set

    /** There is one on the other side, too. */
    var hasOther by mutableStateOf(false)
        private set

    /** The system slows everything down soon, if this goes on; until then there are fewer frames. */
    var isHot by mutableStateOf(false)
        private set
    var torch
        get() = torchIsOn
        set(value) {
            torchIsOn = value
            camera?.cameraControl?.enableTorch(value)
        }
    var zoom
        get() = zoomRatio
        set(value) {
            zoomRatio = value
            camera?.cameraControl?.setZoomRatio(value)
        }

    private var torchIsOn by mutableStateOf(false)
    private var zoomRatio by mutableFloatStateOf(1f)
    private val heat = Heat(context)
    private val frames = // on one thread, which ends by itself soon after the last of them
        ThreadPoolExecutor(1, 1, 1, TimeUnit.SECONDS, LinkedBlockingQueue()).apply { allowCoreThreadTimeOut(true) }
    private val displays = context.getSystemService(Context.DISPLAY_SERVICE) as DisplayManager
    private val turns =
        object : DisplayManager.DisplayListener {
            override fun onDisplayAdded(displayId: Int) = Unit

            override fun onDisplayRemoved(displayId: Int) = Unit

            override fun onDisplayChanged(displayId: Int) {
                preview?.targetRotation = rotation()
                analysis?.targetRotation = rotation()
            }
        }
    private val states = Observer<CameraState> { worksIn(it.type, it.error != null)?.let(::tell) }
    private var provider: ProcessCameraProvider? = null
    private var camera: Camera? = null
    private var preview: Preview? = null
    private var analysis: ImageAnalysis? = null

    /**
     * Opens the wanted camera, or else the other. [side]: the longer one of the model's input; neither side of
     * a frame is smaller, where the camera has such frames. [detect]: of a frame that is valid until it returns.
     */
    internal suspend fun bind(
        owner: LifecycleOwner,
        side: Int,
        detect: suspend (YuvFrame) -> Unit,
    ) {
        unbind()
        val bound = bound(owner, if (isBack) BACK else FRONT, side, detect)
        camera = bound
        torchIsOn = false
        zoomRatio = 1f
        hasTorch = bound?.cameraInfo?.hasFlashUnit() == true
        zoomLimit = bound
            ?.cameraInfo
            ?.zoomState
            ?.value
            ?.maxZoomRatio
            ?.coerceAtMost(MOST_ZOOM) ?: 1f
        tell(bound != null)
        bound?.cameraInfo?.cameraState?.observe(owner, states)
    }

    /** Follows the display's turns, also the half ones, at which the configuration stays as it is. */
    internal fun open() = displays.registerDisplayListener(turns, null)

    internal fun close() {
        displays.unregisterDisplayListener(turns)
        unbind()
    }

    private fun unbind() {
        camera?.cameraInfo?.cameraState?.removeObserver(states)
        camera = null
        listOfNotNull(preview, analysis).forEach { provider?.unbind(it) } // and nothing else of the app's
    }

    /** Null if there is none. It opens later: [states] tell how that goes. */
    private suspend fun bound(
        owner: LifecycleOwner,
        wanted: Int,
        side: Int,
        detect: suspend (YuvFrame) -> Unit,
    ): Camera? =
        try {
            val cameras = ProcessCameraProvider.awaitInstance(context).also { provider = it }
            val there = listOf(BACK, FRONT).filter { cameras.hasCamera(selectorOf(it)) }
            val facing = facingOf(wanted, there)
            hasOther = there.size > 1
            mirrored = facing == FRONT && Build.VERSION.SDK_INT < FIRST_UNMIRRORED
            preview = preview()
            analysis = analysis(side, detect)
            cameras.bindToLifecycle(owner, selectorOf(facing), preview, analysis)
        } catch (error: CancellationException) {
            throw error // an IllegalStateException too
        } catch (_: CameraInfoUnavailableException) {
            null
        } catch (_: InitializationException) {
            null
        } catch (_: IllegalArgumentException) {
            null
        } catch (_: IllegalStateException) {
            null
        }

    private fun tell(works: Boolean) {
        problem = if (works) null else context.getString(R.string.deimv2_no_such_camera)
    }

    private fun selectorOf(facing: Int) = CameraSelector.Builder().requireLensFacing(facing).build()

    /** By default 4:3, too, and the largest that fits the screen. */
    private fun preview() =
        Preview
            .Builder()
            .setTargetRotation(rotation())
            .setMirrorMode(MirrorMode.MIRROR_MODE_OFF) // as the analysed frames; without effect before Android 13
            .build()
            .also { it.surfaceProvider = view.surfaceProvider }

    private fun analysis(
        side: Int,
        detect: suspend (YuvFrame) -> Unit,
    ) = ImageAnalysis
        .Builder()
        .setResolutionSelector(resolution(side))
        .setTargetRotation(rotation())
        .setBackpressureStrategy(ImageAnalysis.STRATEGY_KEEP_ONLY_LATEST)
        .build()
        .also { it.setAnalyzer(frames) { image -> look(image, detect) } }

    private fun look(
        image: ImageProxy,
        detect: suspend (YuvFrame) -> Unit,
    ) {
        try {
            image.use { runBlocking { detect(frameOf(image)) } }
        } catch (_: CancellationException) {
            return // the detector was closed meanwhile
        }
        isHot = heat.isHot
        if (isHot) Thread.sleep(Heat.REST)
    }

    private fun resolution(side: Int): ResolutionSelector {
        val least = Size(longerOf(side), side)
        val rule = ResolutionStrategy.FALLBACK_RULE_CLOSEST_HIGHER_THEN_LOWER
        return ResolutionSelector
            .Builder()
            .setAspectRatioStrategy(AspectRatioStrategy.RATIO_4_3_FALLBACK_AUTO_STRATEGY)
            .setResolutionStrategy(ResolutionStrategy(least, rule))
            .build()
    }

    private fun rotation() = view.display?.rotation ?: 0

    private companion object {
        const val BACK = CameraSelector.LENS_FACING_BACK
        const val FRONT = CameraSelector.LENS_FACING_FRONT
        const val MOST_ZOOM = 8f
        const val FIRST_UNMIRRORED = 33 // Android 13
    }
}

@Composable
fun rememberLiveCamera(): LiveCamera {
    val context = LocalContext.current
    val back = rememberSaveable { mutableStateOf(true) }
    return remember { LiveCamera(context, back) }
}

private fun frameOf(image: ImageProxy): YuvFrame {
    val (y, u, v) = image.planes.map { Plane(it.buffer, it.rowStride, it.pixelStride) }
    return YuvFrame(y, u, v, image.width, image.height, image.imageInfo.rotationDegrees)
}

/** The side that is [wanted], if one of the cameras that are [there] is on it, or else the first that has one. */
internal fun facingOf(
    wanted: Int,
    there: List<Int>,
): Int = if (wanted in there) wanted else there.firstOrNull() ?: wanted

/** The longer side of a 4:3 frame, in whole pixels, whose shorter one is [side]. */
internal fun longerOf(side: Int): Int = (side * 4 + 2) / 3

/**
 * Whether a camera works in a state; null where that is not known yet, or stays as it was: a camera that
 * failed closes without an error. One that another app holds waits, without an error too.
 */
internal fun worksIn(
    state: CameraState.Type,
    failed: Boolean,
): Boolean? =
    when {
        failed || state == CameraState.Type.PENDING_OPEN -> false
        state == CameraState.Type.OPEN -> true
        else -> null
    }
