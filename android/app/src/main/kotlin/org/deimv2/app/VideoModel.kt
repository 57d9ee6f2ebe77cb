package org.deimv2.app

import android.app.Application
import android.content.Context
import android.graphics.Bitmap
import android.net.Uri
import androidx.annotation.StringRes
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.setValue
import androidx.lifecycle.AndroidViewModel
import androidx.lifecycle.viewModelScope
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.isActive
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import org.deimv2.camera.Found
import org.deimv2.camera.Heat
import org.deimv2.camera.language
import org.deimv2.detector.DetectorException
import org.deimv2.detector.Tracker
import java.io.IOException

private const val LONGEST_SIDE = 960 // of a frame as it is shown
private const val LONGEST_SAVED = 1280 // what phones' encoders take, H.264 of 1280 x 720 and upright as well

/** A frame of the video, what was found in it, and how much of the video has been seen, 0..1. */
class Seen(
    val picture: Bitmap,
    val found: Found?,
    val share: Float,
)

/** How a video ended: the text that says what failed, and where it is saved. */
class Ended(
    @StringRes val problem: Int? = null,
    val saved: Uri? = null,
)

/** A video from the phone: all of its frames in turn, objects followed. It goes on while the phone is turned. */
class VideoModel(
    application: Application,
) : AndroidViewModel(application) {
    /** The latest frame. */
    var seen by mutableStateOf<Seen?>(null)
        private set
    var ended by mutableStateOf(Ended())
        private set
    var running by mutableStateOf(false)
        private set
    private var job: Job? = null

    /** In place of the one that runs. [save]: also into the gallery, with its boxes. */
    fun start(
        uri: Uri,
        model: DetectionModel,
        save: Boolean,
    ) {
        val before = job
        running = true
        job =
            viewModelScope.launch {
                before?.cancelAndJoin() // it shows its frames until then
                seen = null
                ended = Ended()
                ended = watch(getApplication(), uri, model, save) { seen = it }
                running = false
            }
    }

    /** Half of a video is not saved. */
    fun stop() {
        job?.cancel()
        running = false
    }
}

/** Until the last frame, or until it is cancelled. [save]: also into the gallery, with its boxes. */
private suspend fun watch(
    context: Context,
    uri: Uri,
    model: DetectionModel,
    save: Boolean,
    show: (Seen) -> Unit,
): Ended =
    withContext(Dispatchers.Default) {
        try {
            if (save) {
                withTemporaryFile(context.cacheDir) { file ->
                    SavedVideo(file, model, context.resources.configuration.language).use { video ->
                        watch(context, uri, model, LONGEST_SAVED) { seen, micros ->
                            video.add(seen, micros)
                            show(seen)
                        }
                        val saved = video.publish(context)
                        if (!isActive) Gallery.delete(context, saved) // stopped while it was copied
                        Ended(saved = saved)
                    }
                }
            } else {
                watch(context, uri, model, LONGEST_SIDE) { seen, _ -> show(seen) }
                Ended()
            }
        } catch (error: CancellationException) {
            throw error // it is an IllegalStateException, too
        } catch (_: NotSavedException) {
            Ended(R.string.video_not_saved)
        } catch (_: IOException) {
            Ended(R.string.bad_video)
        } catch (_: IllegalStateException) {
            Ended(R.string.bad_video)
        } catch (_: IllegalArgumentException) {
            Ended(R.string.bad_video)
        } catch (_: SecurityException) {
            // the video is no longer shared with us
            Ended(R.string.bad_video)
        } catch (_: DetectorException) {
            // ten bits a colour
            Ended(R.string.bad_video)
        }
    }

/** Throws IOException where there is no frame. */
private suspend fun watch(
    context: Context,
    uri: Uri,
    model: DetectionModel,
    longest: Int,
    take: (Seen, Long) -> Unit,
) {
    var isEmpty = true
    val tracker = Tracker()
    val heat = Heat(context)
    Pictures(longest).use { pictures ->
        videoFrames(context, uri).collect {
            isEmpty = false
            val found = model.detect(it.frame, live = true, tracker)
            take(Seen(pictures.of(it.frame), found, it.share), it.micros)
            if (heat.isHot) delay(Heat.REST)
        }
    }
    if (isEmpty) throw IOException("a video without frames")
}
