package org.deimv2.camera

import org.deimv2.detector.Detections
import org.deimv2.detector.Manifest
import org.deimv2.detector.Tracker

/**
 * What was found in one frame, for the screen. [manifest]: of the detector, with the names; [ids]: of each
 * detection's track, where objects are followed.
 */
class Found(
    val manifest: Manifest,
    val detections: Detections,
    val framesPerSecond: Double,
    val ids: IntArray? = null,
) {
    /** The rows to show, best first: one for each object. */
    fun shown(threshold: Float): List<Int> =
        if (ids == null) {
            (0 until detections.countAbove(threshold)).filterNot(detections::isRepeated)
        } else {
            ids.indices.filter { ids[it] != Tracker.NONE }
        }

    /** Name and score, after the id if there is one. */
    fun captionOf(
        row: Int,
        language: String,
    ): String {
        val caption = "%s %.2f".format(manifest.nameOf(detections.labels[row], language), detections.scores[row])
        return if (ids == null) caption else "#${ids[row]} $caption"
    }
}
