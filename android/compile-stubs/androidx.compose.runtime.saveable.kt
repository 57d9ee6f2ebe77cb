// Compile-only stand-in for Jetpack Compose, BOM 2026.09.00: the declarations that `app` uses. No behaviour.

package androidx.compose.runtime.saveable

import androidx.compose.runtime.Composable
import androidx.compose.runtime.MutableState

@Composable
fun <T : Any?> rememberSaveable(init: () -> MutableState<T>): MutableState<T> = throw UnsupportedOperationException()
