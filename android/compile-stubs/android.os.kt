// Compile-only stand-in for Android 10: what `app` uses of its PowerManager that API 23 lacks. No behaviour.

package android.os

class PowerManager {
    val currentThermalStatus: Int get() = throw UnsupportedOperationException()

    companion object {
        const val THERMAL_STATUS_SEVERE = 3
    }
}
