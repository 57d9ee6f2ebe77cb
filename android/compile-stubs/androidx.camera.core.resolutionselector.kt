// Compile-only stand-in for CameraX 1.6.2: the declarations that `app` uses. No behaviour.

package androidx.camera.core.resolutionselector

import android.util.Size

class AspectRatioStrategy private constructor() {
    companion object {
        val RATIO_4_3_FALLBACK_AUTO_STRATEGY: AspectRatioStrategy get() = throw UnsupportedOperationException()
    }
}

class ResolutionStrategy(
    boundSize: Size,
    fallbackRule: Int,
) {
    companion object {
        const val FALLBACK_RULE_CLOSEST_HIGHER_THEN_LOWER = 1
    }
}

class ResolutionSelector private constructor() {
    class Builder {
        fun setAspectRatioStrategy(aspectRatioStrategy: AspectRatioStrategy): Builder =
            throw UnsupportedOperationException()

        fun setResolutionStrategy(resolutionStrategy: ResolutionStrategy): Builder =
            throw UnsupportedOperationException()

        fun build(): ResolutionSelector = throw UnsupportedOperationException()
    }
}
