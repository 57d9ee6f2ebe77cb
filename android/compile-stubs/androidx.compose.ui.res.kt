// Compile-only stand-in for Jetpack Compose, BOM 2026.09.00: the declarations that `app` uses. No behaviour.

package androidx.compose.ui.res

import androidx.annotation.DrawableRes
import androidx.annotation.StringRes
import androidx.compose.runtime.Composable
import androidx.compose.ui.graphics.painter.Painter

@Composable
fun stringResource(
    @StringRes id: Int,
    vararg formatArgs: Any,
): String = throw UnsupportedOperationException()

@Composable
fun painterResource(
    @DrawableRes id: Int,
): Painter = throw UnsupportedOperationException()
