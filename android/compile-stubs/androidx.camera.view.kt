// Compile-only stand-in for CameraX 1.6.2: the declarations that `app` uses. No behaviour.

package androidx.camera.view

import android.content.Context
import android.widget.FrameLayout
import androidx.camera.core.Preview

class PreviewView(
    context: Context,
) : FrameLayout(context) {
    enum class ScaleType { FILL_CENTER, FIT_CENTER }

    var scaleType: ScaleType
        get() = throw UnsupportedOperationException()
        set(value) = throw UnsupportedOperationException()
    val surfaceProvider: Preview.SurfaceProvider get() = throw UnsupportedOperationException()
}
