// Compile-only stand-in for Android 10: what `app` uses of it that API 23 lacks. No behaviour.

package android.os

import java.util.Locale

class LocaleList {
    operator fun get(index: Int): Locale = throw UnsupportedOperationException()
}

class PowerManager {
    val currentThermalStatus: Int get() = throw UnsupportedOperationException()

    companion object {
        const val THERMAL_STATUS_SEVERE = 3
    }
}
