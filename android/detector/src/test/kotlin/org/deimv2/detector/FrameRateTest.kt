package org.deimv2.detector

import kotlin.test.Test
import kotlin.test.assertEquals

class FrameRateTest {
    private val millisecond = 1_000_000L

    @Test
    fun framesOfTheLastSecondCount() {
        val rate = FrameRate()
        assertEquals(0.0, rate.count(0))
        assertEquals(listOf(20.0, 20.0, 20.0), (1L..3L).map { rate.count(50 * it * millisecond) })
        val slow = (1L..20L).map { rate.count((150 + 100 * it) * millisecond) }
        assertEquals(10.0, slow.last())
    }

    @Test
    fun aPauseIsNoFrame() {
        val rate = FrameRate()
        repeat(10) { rate.count(it * 50 * millisecond) }
        assertEquals(0.0, rate.count(60_000 * millisecond))
    }
}
