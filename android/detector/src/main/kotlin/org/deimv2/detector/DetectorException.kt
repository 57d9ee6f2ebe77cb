package org.deimv2.detector

/** Bad input or a failed check, in one line that names the value, what was expected, and the fix. */
class DetectorException(
    message: String,
    cause: Throwable? = null,
) : Exception(message, cause)
