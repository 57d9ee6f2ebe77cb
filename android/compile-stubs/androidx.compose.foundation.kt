// Compile-only stand-in for Jetpack Compose, BOM 2026.09.00: the declarations that `app` uses. No behaviour.

package androidx.compose.foundation

import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.ImageBitmap
import androidx.compose.ui.graphics.drawscope.DrawScope

class ScrollState

@Composable
fun rememberScrollState(): ScrollState = throw UnsupportedOperationException()

fun Modifier.verticalScroll(state: ScrollState): Modifier = throw UnsupportedOperationException()

@Composable
fun isSystemInDarkTheme(): Boolean = throw UnsupportedOperationException()

@Composable
fun Canvas(
    modifier: Modifier,
    onDraw: DrawScope.() -> Unit,
): Unit = throw UnsupportedOperationException()

@Composable
fun Image(
    bitmap: ImageBitmap,
    contentDescription: String?,
    modifier: Modifier,
): Unit = throw UnsupportedOperationException()
