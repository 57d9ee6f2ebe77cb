// Compile-only stand-in for Jetpack Compose, BOM 2026.09.00: the declarations that `app` uses. No behaviour.

package androidx.compose.material3

import androidx.compose.foundation.layout.ColumnScope
import androidx.compose.foundation.layout.PaddingValues
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.graphics.painter.Painter

class ColorScheme(
    val primary: Color,
    val error: Color,
)

object MaterialTheme {
    val colorScheme: ColorScheme
        @Composable get() = throw UnsupportedOperationException()
}

fun lightColorScheme(): ColorScheme = throw UnsupportedOperationException()

fun darkColorScheme(): ColorScheme = throw UnsupportedOperationException()

@Composable
fun MaterialTheme(
    colorScheme: ColorScheme,
    content: @Composable () -> Unit,
): Unit = throw UnsupportedOperationException()

@Composable
fun Scaffold(
    bottomBar: @Composable () -> Unit,
    content: @Composable (PaddingValues) -> Unit,
): Unit = throw UnsupportedOperationException()

interface NavigationBarScope

@Composable
fun NavigationBar(content: @Composable NavigationBarScope.() -> Unit): Unit = throw UnsupportedOperationException()

@Composable
fun NavigationBarScope.NavigationBarItem(
    selected: Boolean,
    onClick: () -> Unit,
    icon: @Composable () -> Unit,
    label: @Composable () -> Unit,
): Unit = throw UnsupportedOperationException()

@Composable
fun Icon(
    painter: Painter,
    contentDescription: String?,
): Unit = throw UnsupportedOperationException()

@Composable
fun Text(
    text: String,
    modifier: Modifier = Modifier,
    color: Color? = null,
): Unit = throw UnsupportedOperationException()

@Composable
fun Button(
    onClick: () -> Unit,
    modifier: Modifier = Modifier,
    enabled: Boolean = true,
    content: @Composable () -> Unit,
): Unit = throw UnsupportedOperationException()

@Composable
fun TextButton(
    onClick: () -> Unit,
    content: @Composable () -> Unit,
): Unit = throw UnsupportedOperationException()

@Composable
fun Slider(
    value: Float,
    onValueChange: (Float) -> Unit,
    modifier: Modifier = Modifier,
    enabled: Boolean = true,
    valueRange: ClosedFloatingPointRange<Float> = 0f..1f,
): Unit = throw UnsupportedOperationException()

@Composable
fun Card(
    modifier: Modifier = Modifier,
    content: @Composable ColumnScope.() -> Unit,
): Unit = throw UnsupportedOperationException()

@Composable
fun LinearProgressIndicator(modifier: Modifier): Unit = throw UnsupportedOperationException()

@Composable
fun LinearProgressIndicator(
    progress: () -> Float,
    modifier: Modifier = Modifier,
): Unit = throw UnsupportedOperationException()

@Composable
fun DropdownMenu(
    expanded: Boolean,
    onDismissRequest: () -> Unit,
    content: @Composable ColumnScope.() -> Unit,
): Unit = throw UnsupportedOperationException()

@Composable
fun DropdownMenuItem(
    text: @Composable () -> Unit,
    onClick: () -> Unit,
): Unit = throw UnsupportedOperationException()

@Composable
fun Switch(
    checked: Boolean,
    onCheckedChange: ((Boolean) -> Unit)?,
    modifier: Modifier = Modifier,
    enabled: Boolean = true,
): Unit = throw UnsupportedOperationException()
