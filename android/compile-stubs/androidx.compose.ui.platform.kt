// Compile-only stand-in for Jetpack Compose, BOM 2026.09.00: the declarations that `app` uses. No behaviour.

package androidx.compose.ui.platform

import android.content.Context
import android.content.res.Configuration
import android.view.View
import androidx.compose.runtime.ProvidableCompositionLocal

val LocalConfiguration: ProvidableCompositionLocal<Configuration> get() = throw UnsupportedOperationException()

val LocalContext: ProvidableCompositionLocal<Context> get() = throw UnsupportedOperationException()

val LocalView: ProvidableCompositionLocal<View> get() = throw UnsupportedOperationException()
