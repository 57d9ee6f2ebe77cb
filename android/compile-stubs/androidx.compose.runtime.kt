// Compile-only stand-in for Jetpack Compose, BOM 2026.09.00: the declarations that `app` uses. No behaviour.

package androidx.compose.runtime

import kotlinx.coroutines.CoroutineScope
import kotlin.reflect.KProperty

@Target(
    AnnotationTarget.FUNCTION,
    AnnotationTarget.TYPE,
    AnnotationTarget.TYPE_PARAMETER,
    AnnotationTarget.PROPERTY_GETTER,
)
annotation class Composable

interface State<out T> {
    val value: T
}

interface MutableState<T> : State<T> {
    override var value: T
}

interface MutableFloatState : MutableState<Float>

interface MutableIntState : MutableState<Int>

class ProvidableCompositionLocal<T> {
    val current: T
        @Composable get() = throw UnsupportedOperationException()
}

class DisposableEffectScope {
    fun onDispose(onDisposeEffect: () -> Unit): DisposableEffectResult = throw UnsupportedOperationException()
}

interface DisposableEffectResult

fun <T> mutableStateOf(value: T): MutableState<T> = throw UnsupportedOperationException()

fun mutableFloatStateOf(value: Float): MutableFloatState = throw UnsupportedOperationException()

fun mutableIntStateOf(value: Int): MutableIntState = throw UnsupportedOperationException()

operator fun <T> State<T>.getValue(
    thisObj: Any?,
    property: KProperty<*>,
): T = throw UnsupportedOperationException()

operator fun <T> MutableState<T>.setValue(
    thisObj: Any?,
    property: KProperty<*>,
    value: T,
): Unit = throw UnsupportedOperationException()

@Composable
fun <T> remember(calculation: () -> T): T = throw UnsupportedOperationException()

@Composable
fun <T> rememberUpdatedState(newValue: T): State<T> = throw UnsupportedOperationException()

@Composable
fun rememberCoroutineScope(): CoroutineScope = throw UnsupportedOperationException()

@Composable
fun LaunchedEffect(
    key1: Any?,
    block: suspend CoroutineScope.() -> Unit,
): Unit = throw UnsupportedOperationException()

@Composable
fun LaunchedEffect(
    key1: Any?,
    key2: Any?,
    block: suspend CoroutineScope.() -> Unit,
): Unit = throw UnsupportedOperationException()

@Composable
fun DisposableEffect(
    key1: Any?,
    effect: DisposableEffectScope.() -> DisposableEffectResult,
): Unit = throw UnsupportedOperationException()
