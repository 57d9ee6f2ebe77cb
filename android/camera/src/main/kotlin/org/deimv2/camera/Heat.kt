package org.deimv2.camera

import android.content.Context
import android.os.Build
import android.os.PowerManager

/** How hot the phone is, as it tells from Android 10 on. */
class Heat(
    context: Context,
) {
    private val power = context.getSystemService(Context.POWER_SERVICE) as PowerManager
    private val status get() = if (Build.VERSION.SDK_INT >= FIRST_VERSION) power.currentThermalStatus else null

    /** In the system's word; null where it does not tell. */
    val state: String? get() = status?.let(STATES::getOrNull)

    /** The system slows everything down soon, if this goes on. */
    val isHot get() = (status ?: 0) >= PowerManager.THERMAL_STATUS_SEVERE

    companion object {
        /** Milliseconds to wait after each frame while the phone is hot. */
        const val REST = 200L

        private const val FIRST_VERSION = 29 // Android 10
        private val STATES = listOf("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
    }
}
