// Compile-only stand-in for CameraX 1.6.2: the declarations that `app` uses. No behaviour.

package androidx.camera.core

import androidx.camera.core.resolutionselector.ResolutionSelector
import androidx.lifecycle.LiveData
import java.nio.ByteBuffer
import java.util.concurrent.Executor

interface ImageInfo {
    val rotationDegrees: Int
}

interface ImageProxy : AutoCloseable {
    val width: Int
    val height: Int
    val planes: Array<PlaneProxy>
    val imageInfo: ImageInfo

    interface PlaneProxy {
        val rowStride: Int
        val pixelStride: Int
        val buffer: ByteBuffer
    }
}

abstract class UseCase internal constructor()

class InitializationException(
    message: String?,
) : Exception(message)

class CameraInfoUnavailableException(
    message: String?,
) : Exception(message)

class ImageAnalysis private constructor() : UseCase() {
    var targetRotation: Int
        get() = throw UnsupportedOperationException()
        set(value) = throw UnsupportedOperationException()

    fun interface Analyzer {
        fun analyze(image: ImageProxy)
    }

    fun setAnalyzer(
        executor: Executor,
        analyzer: Analyzer,
    ): Unit = throw UnsupportedOperationException()

    class Builder {
        fun setResolutionSelector(resolutionSelector: ResolutionSelector): Builder =
            throw UnsupportedOperationException()

        fun setTargetRotation(rotation: Int): Builder = throw UnsupportedOperationException()

        fun setBackpressureStrategy(strategy: Int): Builder = throw UnsupportedOperationException()

        fun build(): ImageAnalysis = throw UnsupportedOperationException()
    }

    companion object {
        const val STRATEGY_KEEP_ONLY_LATEST = 0
    }
}

class Preview private constructor() : UseCase() {
    interface SurfaceProvider

    var targetRotation: Int
        get() = throw UnsupportedOperationException()
        set(value) = throw UnsupportedOperationException()

    var surfaceProvider: SurfaceProvider?
        get() = throw UnsupportedOperationException()
        set(value) = throw UnsupportedOperationException()

    class Builder {
        fun setTargetRotation(rotation: Int): Builder = throw UnsupportedOperationException()

        fun setMirrorMode(mirrorMode: Int): Builder = throw UnsupportedOperationException()

        fun build(): Preview = throw UnsupportedOperationException()
    }
}

object MirrorMode {
    const val MIRROR_MODE_OFF = 0
}

class CameraSelector private constructor() {
    class Builder {
        fun requireLensFacing(lensFacing: Int): Builder = throw UnsupportedOperationException()

        fun build(): CameraSelector = throw UnsupportedOperationException()
    }

    companion object {
        const val LENS_FACING_FRONT = 0
        const val LENS_FACING_BACK = 1
    }
}

interface ZoomState {
    val maxZoomRatio: Float
}

abstract class CameraState {
    enum class Type { PENDING_OPEN, OPENING, OPEN, CLOSING, CLOSED }

    abstract class StateError

    abstract val type: Type
    abstract val error: StateError?
}

interface CameraInfo {
    val zoomState: LiveData<ZoomState>
    val cameraState: LiveData<CameraState>

    fun hasFlashUnit(): Boolean
}

interface CameraControl {
    fun enableTorch(torch: Boolean): Any

    fun setZoomRatio(ratio: Float): Any
}

interface Camera {
    val cameraControl: CameraControl
    val cameraInfo: CameraInfo
}
