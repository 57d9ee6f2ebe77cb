// Compile-only stand-in for Jetpack Compose, BOM 2026.09.00: the declarations that `app` uses. No behaviour.

package androidx.compose.ui.semantics

import androidx.compose.ui.Modifier

class Role {
    companion object {
        val Switch: Role get() = throw UnsupportedOperationException()
    }
}

interface SemanticsPropertyReceiver

var SemanticsPropertyReceiver.contentDescription: String
    get() = throw UnsupportedOperationException()
    set(value) = throw UnsupportedOperationException()

fun Modifier.semantics(properties: SemanticsPropertyReceiver.() -> Unit): Modifier =
    throw UnsupportedOperationException()
