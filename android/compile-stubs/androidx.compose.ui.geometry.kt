// Compile-only stand-in for Jetpack Compose, BOM 2026.09.00: the declarations that `app` uses. No behaviour.

package androidx.compose.ui.geometry

class Offset(
    val x: Float,
    val y: Float,
)

class Size(
    val width: Float,
    val height: Float,
)
