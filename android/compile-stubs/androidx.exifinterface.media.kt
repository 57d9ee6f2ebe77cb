// Compile-only stand-in for androidx.exifinterface 1.4.1: the declarations that `app` uses. No behaviour.

package androidx.exifinterface.media

import java.io.InputStream

class ExifInterface(
    inputStream: InputStream,
) {
    val isFlipped: Boolean get() = throw UnsupportedOperationException()

    val rotationDegrees: Int get() = throw UnsupportedOperationException()
}
