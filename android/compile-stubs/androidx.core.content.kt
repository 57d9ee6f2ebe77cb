// Compile-only stand-in for androidx.core 1.17.0: the declarations that `app` uses. No behaviour.

package androidx.core.content

import android.content.Context
import java.util.concurrent.Executor

class ContextCompat private constructor() {
    companion object {
        fun getMainExecutor(context: Context): Executor = throw UnsupportedOperationException()

        fun checkSelfPermission(
            context: Context,
            permission: String,
        ): Int = throw UnsupportedOperationException()
    }
}
