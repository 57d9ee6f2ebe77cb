// Compile-only stand-in for androidx.annotation 1.9.1: the declarations that `app` uses. No behaviour.

package androidx.annotation

annotation class StringRes

annotation class DrawableRes
