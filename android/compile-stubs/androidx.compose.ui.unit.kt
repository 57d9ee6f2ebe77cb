// Compile-only stand-in for Jetpack Compose, BOM 2026.09.00: the declarations that `app` uses. No behaviour.

package androidx.compose.ui.unit

class Dp

class IntSize(
    val width: Int,
    val height: Int,
)

val Float.dp: Dp get() = throw UnsupportedOperationException()

val Int.dp: Dp get() = throw UnsupportedOperationException()
