// Compile-only stand-in for Jetpack Compose, BOM 2026.09.00: the declarations that `app` uses. No behaviour.

package androidx.compose.ui.viewinterop

import android.content.Context
import android.view.View
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier

@Composable
fun <T : View> AndroidView(
    factory: (Context) -> T,
    modifier: Modifier,
): Unit = throw UnsupportedOperationException()
