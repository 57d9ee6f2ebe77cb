// Compile-only stand-in for Android 11: what `detector` uses of it that API 23 lacks. No behaviour.

package android.app

class ActivityManager {
    class TaskDescription // of API 23; its `Activity` names it

    fun getHistoricalProcessExitReasons(
        packageName: String?,
        pid: Int,
        maxNum: Int,
    ): List<ApplicationExitInfo> = throw UnsupportedOperationException()
}

class ApplicationExitInfo {
    val reason: Int get() = throw UnsupportedOperationException()
    val status: Int get() = throw UnsupportedOperationException()
    val timestamp: Long get() = throw UnsupportedOperationException()

    companion object {
        const val REASON_UNKNOWN = 0
        const val REASON_EXIT_SELF = 1
        const val REASON_SIGNALED = 2
        const val REASON_LOW_MEMORY = 3
        const val REASON_CRASH_NATIVE = 5
        const val REASON_ANR = 6
        const val REASON_USER_REQUESTED = 10
    }
}
