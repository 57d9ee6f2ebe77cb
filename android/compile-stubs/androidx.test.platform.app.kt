// Compile-only stand-in for androidx.test 1.7.0: the declarations that `app` uses. No behaviour.

package androidx.test.platform.app

import android.app.Instrumentation

class InstrumentationRegistry private constructor() {
    companion object {
        fun getInstrumentation(): Instrumentation = throw UnsupportedOperationException()
    }
}
