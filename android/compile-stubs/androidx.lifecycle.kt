// Compile-only stand-in for androidx.lifecycle 2.11.0: the declarations that `app` uses. No behaviour.

package androidx.lifecycle

import android.app.Application
import kotlinx.coroutines.CoroutineScope

interface LifecycleOwner

abstract class Lifecycle {
    enum class Event { ON_CREATE, ON_START, ON_RESUME, ON_PAUSE, ON_STOP, ON_DESTROY, ON_ANY }
}

fun interface Observer<T> {
    fun onChanged(value: T)
}

abstract class LiveData<T> {
    val value: T? get() = throw UnsupportedOperationException()

    fun observe(
        owner: LifecycleOwner,
        observer: Observer<in T>,
    ): Unit = throw UnsupportedOperationException()

    fun removeObserver(observer: Observer<in T>): Unit = throw UnsupportedOperationException()
}

abstract class ViewModel {
    protected open fun onCleared(): Unit = throw UnsupportedOperationException()
}

open class AndroidViewModel(
    application: Application,
) : ViewModel() {
    fun <T : Application> getApplication(): T = throw UnsupportedOperationException()
}

val ViewModel.viewModelScope: CoroutineScope get() = throw UnsupportedOperationException()
