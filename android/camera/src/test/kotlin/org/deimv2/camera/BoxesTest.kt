package org.deimv2.camera

import kotlin.test.Test
import kotlin.test.assertEquals

class BoxesTest {
    @Test
    fun aMirroredBoxLiesOnTheOtherSideWithItsCornersInOrder() {
        val corners = floatArrayOf(10f, 20f, 40f, 60f)
        mirror(corners, 100f)
        assertEquals(listOf(60f, 20f, 90f, 60f), corners.toList())
        mirror(corners, 100f)
        assertEquals(listOf(10f, 20f, 40f, 60f), corners.toList())
    }
}
