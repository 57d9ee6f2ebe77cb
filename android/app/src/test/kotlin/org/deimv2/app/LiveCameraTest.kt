package org.deimv2.app

import androidx.camera.core.CameraState.Type
import kotlin.test.Test
import kotlin.test.assertEquals

class LiveCameraTest {
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
