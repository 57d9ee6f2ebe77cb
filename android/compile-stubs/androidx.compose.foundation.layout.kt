// Compile-only stand-in for Jetpack Compose, BOM 2026.09.00: the declarations that `app` uses. No behaviour.

package androidx.compose.foundation.layout

import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.unit.Dp

interface BoxScope

interface ColumnScope

interface PaddingValues

object Arrangement {
    interface Vertical

    interface Horizontal

    val SpaceBetween: Horizontal get() = throw UnsupportedOperationException()

    fun spacedBy(space: Dp): Vertical = throw UnsupportedOperationException()
}

@Composable
fun Box(
    modifier: Modifier = Modifier,
    content: @Composable BoxScope.() -> Unit,
): Unit = throw UnsupportedOperationException()

interface RowScope

@Composable
fun Row(
    modifier: Modifier = Modifier,
    horizontalArrangement: Arrangement.Horizontal? = null,
    content: @Composable RowScope.() -> Unit,
): Unit = throw UnsupportedOperationException()

@Composable
fun Column(
    modifier: Modifier = Modifier,
    verticalArrangement: Arrangement.Vertical? = null,
    content: @Composable ColumnScope.() -> Unit,
): Unit = throw UnsupportedOperationException()

fun Modifier.padding(all: Dp): Modifier = throw UnsupportedOperationException()

fun Modifier.padding(
    horizontal: Dp,
    vertical: Dp = Dp(),
): Modifier = throw UnsupportedOperationException()

fun Modifier.padding(paddingValues: PaddingValues): Modifier = throw UnsupportedOperationException()

fun Modifier.safeDrawingPadding(): Modifier = throw UnsupportedOperationException()

fun Modifier.fillMaxSize(): Modifier = throw UnsupportedOperationException()

fun Modifier.fillMaxWidth(): Modifier = throw UnsupportedOperationException()

fun Modifier.heightIn(
    min: Dp = Dp(),
    max: Dp = Dp(),
): Modifier = throw UnsupportedOperationException()

fun Modifier.aspectRatio(ratio: Float): Modifier = throw UnsupportedOperationException()
