// Compile-only stand-in for androidx.core 1.19.1: the declarations that `app` uses. No behaviour.

package androidx.core.content

import android.content.Context

class ContextCompat private constructor() {
    companion object {
        fun checkSelfPermission(
            context: Context,
            permission: String,
        ): Int = throw UnsupportedOperationException()
    }
}
