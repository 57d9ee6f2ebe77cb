package org.deimv2.camera

import androidx.camera.core.CameraState.Type
import kotlin.test.Test
import kotlin.test.assertEquals

class LiveCameraTest {
    @Test
    fun whereOneSideHasNoCameraTheOtherIsTaken() {
        assertEquals(listOf(0, 1), listOf(0, 1).map { facingOf(it, listOf(1, 0)) })
        assertEquals(listOf(0, 0), listOf(0, 1).map { facingOf(it, listOf(0)) })
        assertEquals(1, facingOf(1, emptyList()))
    }

    @Test
    fun neitherSideOfAFrameIsSmallerThanTheModels() {
        assertEquals(listOf(427, 640, 854), listOf(320, 480, 640).map(::longerOf))
    }

    @Test
    fun aCameraThatFailedOrWaitsForAnotherAppDoesNotWork() {
        assertEquals(false, worksIn(Type.PENDING_OPEN, failed = false))
        for (type in Type.entries) assertEquals(false, worksIn(type, failed = true))
    }

    @Test
    fun onlyAnOpenCameraClearsWhatWasSaid() {
        assertEquals(true, worksIn(Type.OPEN, failed = false))
        for (type in listOf(Type.OPENING, Type.CLOSING, Type.CLOSED)) assertEquals(null, worksIn(type, failed = false))
    }
}
