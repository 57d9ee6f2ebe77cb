// Compile-only stand-in for androidx.activity 1.13.0: the declarations that `app` uses. No behaviour.

package androidx.activity

import android.app.Activity
import androidx.lifecycle.LifecycleOwner
import androidx.lifecycle.ViewModel

open class ComponentActivity :
    Activity(),
    LifecycleOwner

fun ComponentActivity.enableEdgeToEdge(): Unit = throw UnsupportedOperationException()

inline fun <reified M : ViewModel> ComponentActivity.viewModels(): Lazy<M> = throw UnsupportedOperationException()
