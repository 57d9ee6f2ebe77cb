// Compile-only stand-in for Jetpack Compose, BOM 2026.09.00: the declarations that `app` uses. No behaviour.

package androidx.compose.ui.text

import androidx.compose.runtime.Composable
import androidx.compose.ui.geometry.Offset
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.graphics.drawscope.DrawScope
import androidx.compose.ui.unit.IntSize

class TextLayoutResult(
    val size: IntSize,
)

class TextMeasurer {
    fun measure(text: String): TextLayoutResult = throw UnsupportedOperationException()
}

@Composable
fun rememberTextMeasurer(): TextMeasurer = throw UnsupportedOperationException()

fun DrawScope.drawText(
    textLayoutResult: TextLayoutResult,
    color: Color,
    topLeft: Offset,
): Unit = throw UnsupportedOperationException()
