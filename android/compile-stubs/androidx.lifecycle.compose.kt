// Compile-only stand-in for androidx.lifecycle 2.11.0: the declarations that `app` uses. No behaviour.

package androidx.lifecycle.compose

import androidx.compose.runtime.ProvidableCompositionLocal
import androidx.lifecycle.LifecycleOwner

val LocalLifecycleOwner: ProvidableCompositionLocal<LifecycleOwner> get() = throw UnsupportedOperationException()
