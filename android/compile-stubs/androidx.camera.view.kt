// Compile-only stand-in for CameraX 1.6.2: the declarations that `app` uses. No behaviour.

package androidx.camera.view

import android.content.Context
import android.widget.FrameLayout
import androidx.camera.core.ImageAnalysis
import androidx.lifecycle.LifecycleOwner
import java.util.concurrent.Executor

abstract class CameraController {
    fun setEnabledUseCases(enabledUseCases: Int): Unit = throw UnsupportedOperationException()

    fun setImageAnalysisAnalyzer(
        executor: Executor,
        analyzer: ImageAnalysis.Analyzer,
    ): Unit = throw UnsupportedOperationException()

    companion object {
        const val IMAGE_ANALYSIS = 2
    }
}

class LifecycleCameraController(
    context: Context,
) : CameraController() {
    fun bindToLifecycle(owner: LifecycleOwner): Unit = throw UnsupportedOperationException()

    fun unbind(): Unit = throw UnsupportedOperationException()
}

class PreviewView(
    context: Context,
) : FrameLayout(context) {
    enum class ScaleType { FILL_CENTER, FIT_CENTER }

    var scaleType: ScaleType
        get() = throw UnsupportedOperationException()
        set(value) = throw UnsupportedOperationException()
    var controller: CameraController?
        get() = throw UnsupportedOperationException()
        set(value) = throw UnsupportedOperationException()
}
