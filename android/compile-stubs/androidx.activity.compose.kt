// Compile-only stand-in for androidx.activity 1.13.0: the declarations that `app` uses. No behaviour.

package androidx.activity.compose

import android.app.Activity
import androidx.activity.ComponentActivity
import androidx.activity.result.contract.ActivityResultContract
import androidx.compose.runtime.Composable
import androidx.compose.runtime.ProvidableCompositionLocal

val LocalActivity: ProvidableCompositionLocal<Activity?> get() = throw UnsupportedOperationException()

fun ComponentActivity.setContent(content: @Composable () -> Unit): Unit = throw UnsupportedOperationException()

class ManagedActivityResultLauncher<I, O> {
    fun launch(input: I): Unit = throw UnsupportedOperationException()
}

@Composable
fun <I, O> rememberLauncherForActivityResult(
    contract: ActivityResultContract<I, O>,
    onResult: (O) -> Unit,
): ManagedActivityResultLauncher<I, O> = throw UnsupportedOperationException()
