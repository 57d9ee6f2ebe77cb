package org.deimv2.detector

import android.app.ActivityManager
import android.app.ApplicationExitInfo
import android.content.Context
import android.os.Build

/** Whether an accelerator's driver ended a process in which it was tried. */
internal enum class Death {
    DRIVER,

    /** Perhaps: it counts the second time in a row. */
    UNCLEAR,

    /** The user, an update, the app's own code or the system ended it. */
    OTHER,
    ;

    companion object {
        private const val FIRST_VERSION = 30 // Android 11
        private const val SIGKILL = 9
        private const val LONGEST_TRIAL = 60_000 // milliseconds, the golden photographs included

        /** By what the system says of the process in which a trial had [begun]; before Android 11 it says nothing. */
        fun of(
            context: Context,
            pid: Int,
            begun: Long,
        ): Death {
            if (Build.VERSION.SDK_INT < FIRST_VERSION) return UNCLEAR
            val manager = context.getSystemService(Context.ACTIVITY_SERVICE) as ActivityManager
            val exit = manager.getHistoricalProcessExitReasons(null, pid, 1).firstOrNull() ?: return UNCLEAR
            return of(exit.reason, exit.status, exit.timestamp - begun)
        }

        /** [reason] and [status]: as `ApplicationExitInfo` has them; [lasted]: milliseconds of the trial. */
        fun of(
            reason: Int,
            status: Int,
            lasted: Long,
        ): Death =
            when (reason) {
                ApplicationExitInfo.REASON_CRASH_NATIVE -> DRIVER

                // SIGKILL is the system's: on some phones the only sign of too little memory
                ApplicationExitInfo.REASON_SIGNALED -> if (status == SIGKILL) UNCLEAR else DRIVER

                // A GPU that hangs stops the drawing of the app's window too; compiling may take all memory;
                // a compiler of kernels may call exit(). But the app and others do all this as well.
                ApplicationExitInfo.REASON_ANR,
                ApplicationExitInfo.REASON_LOW_MEMORY,
                ApplicationExitInfo.REASON_EXIT_SELF,
                ApplicationExitInfo.REASON_UNKNOWN,
                -> UNCLEAR

                // A driver that hangs leaves the user nothing else to do.
                ApplicationExitInfo.REASON_USER_REQUESTED -> if (lasted > LONGEST_TRIAL) UNCLEAR else OTHER

                else -> OTHER
            }
    }
}
