// Compile-only stand-in for androidx.activity 1.13.0: the declarations that `app` uses. No behaviour.

package androidx.activity.result

import androidx.activity.result.contract.ActivityResultContracts

class PickVisualMediaRequest

fun PickVisualMediaRequest(mediaType: ActivityResultContracts.PickVisualMedia.VisualMediaType): PickVisualMediaRequest =
    throw UnsupportedOperationException()
