// Compile-only stand-in for Jetpack Compose, BOM 2026.09.00: the declarations that `app` uses. No behaviour.

package androidx.compose.ui.graphics

import android.graphics.Bitmap

class Color {
    companion object {
        val Black: Color get() = throw UnsupportedOperationException()
    }
}

fun Color(color: Int): Color = throw UnsupportedOperationException()

interface ImageBitmap

fun Bitmap.asImageBitmap(): ImageBitmap = throw UnsupportedOperationException()
