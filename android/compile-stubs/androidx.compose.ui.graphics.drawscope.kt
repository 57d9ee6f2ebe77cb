// Compile-only stand-in for Jetpack Compose, BOM 2026.09.00: the declarations that `app` uses. No behaviour.

package androidx.compose.ui.graphics.drawscope

import androidx.compose.ui.geometry.Offset
import androidx.compose.ui.geometry.Size
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.unit.Dp

class Stroke(
    width: Float,
)

interface DrawScope {
    val size: Size

    fun Dp.toPx(): Float

    fun drawRect(
        color: Color,
        topLeft: Offset,
        size: Size,
        style: Stroke? = null,
    )
}
