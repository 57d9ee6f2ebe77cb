// Compile-only stand-in for Android 10: what `app` uses of it that API 23 lacks. No behaviour.

package android.content.res

import android.os.LocaleList

class Configuration {
    val screenHeightDp: Int get() = throw UnsupportedOperationException()
    val locales: LocaleList get() = throw UnsupportedOperationException()
}
