package org.deimv2.app

import android.content.ContentResolver
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Matrix
import android.net.Uri
import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.result.PickVisualMediaRequest
import androidx.activity.result.contract.ActivityResultContracts.PickVisualMedia
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.Button
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalConfiguration
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import androidx.exifinterface.media.ExifInterface
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import org.deimv2.camera.Found
import org.deimv2.camera.Marked
import org.deimv2.camera.language
import org.deimv2.detector.RgbFrame
import java.io.IOException

private const val LONGEST_SIDE = 2048 // of the decoded photo: enough for any input, 16 MB at most

/** A photo from the phone, with what is found in it. */
@Composable
fun PhotoScreen(model: DetectionModel) {
    val context = LocalContext.current
    var uri by rememberSaveable { mutableStateOf<Uri?>(null) }
    var photo by remember { mutableStateOf<Bitmap?>(null) }
    var found by remember { mutableStateOf<Found?>(null) } // in this photo, by this model
    var isBad by remember { mutableStateOf(false) }
    val pick = rememberLauncherForActivityResult(PickVisualMedia()) { picked -> uri = picked ?: uri }
    // Again for another photo and for another model, once it is open.
    LaunchedEffect(uri, model.openings) {
        val picked = uri ?: return@LaunchedEffect
        found = null
        val decoded = withContext(Dispatchers.IO) { decode(context.contentResolver, picked) }
        photo = decoded
        isBad = decoded == null
        if (decoded == null) return@LaunchedEffect
        found = model.detect(withContext(Dispatchers.Default) { RgbFrame(decoded) }, live = false)
    }
    Column(Modifier.fillMaxSize().verticalScroll(rememberScrollState())) {
        Button(
            onClick = { pick.launch(PickVisualMediaRequest(PickVisualMedia.ImageOnly)) },
            modifier = Modifier.padding(16.dp),
        ) { Text(stringResource(R.string.pick_photo)) }
        photo?.let { Picture(model, it, found) }
        if (isBad) Text(stringResource(R.string.bad_photo), color = MaterialTheme.colorScheme.error)
        Controls(model)
    }
}

@Composable
private fun Picture(
    model: DetectionModel,
    photo: Bitmap,
    found: Found?,
) {
    val language = LocalConfiguration.current.language
    Marked(photo, stringResource(R.string.photo), found, model.threshold)
    if (found != null && Gallery.isOffered) {
        SaveButton { SavedPicture.draw(photo, found, model.threshold, language) }
    }
}

/** Puts the picture that [draw] makes into the gallery, and offers to share it. */
@Composable
private fun SaveButton(draw: () -> Bitmap) {
    val context = LocalContext.current
    val scope = rememberCoroutineScope()
    var failed by remember { mutableStateOf(false) }
    Button(
        onClick = {
            scope.launch {
                try {
                    val place = withContext(Dispatchers.IO) { saving { SavedPicture.save(context, draw()) } }
                    failed = false
                    Gallery.share(context, place, Gallery.PHOTO)
                } catch (_: NotSavedException) {
                    failed = true
                }
            }
        },
        modifier = Modifier.padding(16.dp),
    ) { Text(stringResource(R.string.save)) }
    if (failed) Text(stringResource(R.string.not_saved), color = MaterialTheme.colorScheme.error)
}

/** Upright, and not larger than needed; null for what is no photo. */
private fun decode(
    resolver: ContentResolver,
    uri: Uri,
): Bitmap? =
    try {
        val bounds = BitmapFactory.Options().apply { inJustDecodeBounds = true }
        resolver.openInputStream(uri)?.use { BitmapFactory.decodeStream(it, null, bounds) }
        val options = BitmapFactory.Options().apply { inSampleSize = 1 }
        while (maxOf(bounds.outWidth, bounds.outHeight) / options.inSampleSize > LONGEST_SIDE) options.inSampleSize *= 2
        val turn = resolver.openInputStream(uri)?.use { upright(ExifInterface(it)) } ?: Matrix()
        resolver.openInputStream(uri)?.use { BitmapFactory.decodeStream(it, null, options) }?.let {
            if (turn.isIdentity) return it
            Bitmap.createBitmap(it, 0, 0, it.width, it.height, turn, true).also { _ -> it.recycle() }
        }
    } catch (_: IOException) {
        null
    } catch (_: SecurityException) {
        // the photo is no longer shared with us
        null
    }

/** How the photo is to be turned; a mirrored one is mirrored first. */
private fun upright(exif: ExifInterface) =
    Matrix().apply {
        if (exif.isFlipped) postScale(-1f, 1f)
        postRotate(exif.rotationDegrees.toFloat())
    }
