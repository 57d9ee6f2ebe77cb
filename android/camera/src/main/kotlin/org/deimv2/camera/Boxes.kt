package org.deimv2.camera

import android.graphics.Bitmap
import android.graphics.Color.HSVToColor
import androidx.compose.foundation.Canvas
import androidx.compose.foundation.Image
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.aspectRatio
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.heightIn
import androidx.compose.runtime.Composable
import androidx.compose.runtime.remember
import androidx.compose.ui.Modifier
import androidx.compose.ui.geometry.Offset
import androidx.compose.ui.geometry.Size
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.graphics.asImageBitmap
import androidx.compose.ui.graphics.drawscope.DrawScope
import androidx.compose.ui.graphics.drawscope.Stroke
import androidx.compose.ui.platform.LocalConfiguration
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.TextMeasurer
import androidx.compose.ui.text.drawText
import androidx.compose.ui.text.rememberTextMeasurer
import androidx.compose.ui.unit.Dp
import androidx.compose.ui.unit.dp

private const val GOLDEN_RATIO = 0.618034f // steps of hue that keep neighbouring classes far apart
private const val MOST_OF_SCREEN = 0.7f

/** A picture with what was [found] in it above [threshold]. */
@Composable
fun Marked(
    picture: Bitmap,
    description: String,
    found: Found?,
    threshold: Float,
) {
    Box(Modifier.heightIn(max = mostHeight()).aspectRatio(picture.width.toFloat() / picture.height)) {
        Image(picture.asImageBitmap(), description, Modifier.fillMaxSize())
        if (found != null) Boxes(found, threshold, Modifier.fillMaxSize())
    }
}

/** Of a picture: all of it is seen at once, and what lies below it, also on a screen that is wider than high. */
@Composable
internal fun mostHeight(): Dp = (LocalConfiguration.current.screenHeightDp * MOST_OF_SCREEN).dp

/** Boxes over a picture that is as large as this, and perhaps [mirrored]; a screen reader is told the names. */
@Composable
fun Boxes(
    found: Found,
    threshold: Float,
    modifier: Modifier = Modifier,
    mirrored: Boolean = false,
) {
    val measurer = rememberTextMeasurer()
    val corners = remember { FloatArray(4) }
    val language = LocalConfiguration.current.language
    val rows = found.shown(threshold)
    val names = rows.groupingBy { found.manifest.nameOf(found.detections.labels[it], language) }.eachCount()
    val spoken =
        if (names.isEmpty()) {
            stringResource(R.string.deimv2_found_nothing)
        } else {
            stringResource(R.string.deimv2_found, names.entries.joinToString { (name, times) -> "$times $name" })
        }
    Canvas(modifier.semantics { contentDescription = spoken }) {
        for (row in rows.asReversed()) { // the best last, on top
            found.detections.toFrame(row, size.width.toInt(), size.height.toInt(), rotation = 0, corners)
            if (mirrored) mirror(corners, size.width)
            val colour = Color(argbOf(found.detections.labels[row]))
            drawBox(measurer, corners, found.captionOf(row, language), colour)
        }
    }
}

/** Moves a box, x1, y1, x2, y2, to where it lies in the mirror image of a picture of this [width]. */
internal fun mirror(
    corners: FloatArray,
    width: Float,
) {
    val left = corners[0]
    corners[0] = width - corners[2]
    corners[2] = width - left
}

private fun DrawScope.drawBox(
    measurer: TextMeasurer,
    corners: FloatArray,
    text: String,
    colour: Color,
) {
    val (left, top, right, bottom) = corners
    drawRect(colour, Offset(left, top), Size(right - left, bottom - top), style = Stroke(2.dp.toPx()))
    val tag = measurer.measure(text)
    val at = Offset(left.coerceIn(0f, size.width), (top - tag.size.height).coerceIn(0f, size.height))
    drawRect(colour, at, Size(tag.size.width.toFloat(), tag.size.height.toFloat()))
    drawText(tag, Color.Black, at) // black on a bright colour: contrast above 7
}

/** A class's colour, always the same and bright, unlike those of the classes beside it. */
fun argbOf(label: Int): Int = HSVToColor(floatArrayOf(label * GOLDEN_RATIO % 1f * 360f, 0.45f, 1f))
