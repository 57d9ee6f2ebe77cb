// Compile-only stand-in for androidx.lifecycle 2.11.0: the declarations that `app` uses. No behaviour.

package androidx.lifecycle.compose

import androidx.compose.runtime.Composable
import androidx.compose.runtime.ProvidableCompositionLocal
import androidx.lifecycle.Lifecycle
import androidx.lifecycle.LifecycleOwner

val LocalLifecycleOwner: ProvidableCompositionLocal<LifecycleOwner> get() = throw UnsupportedOperationException()

@Composable
fun LifecycleEventEffect(
    event: Lifecycle.Event,
    lifecycleOwner: LifecycleOwner = LocalLifecycleOwner.current,
    onEvent: () -> Unit,
): Unit = throw UnsupportedOperationException()
