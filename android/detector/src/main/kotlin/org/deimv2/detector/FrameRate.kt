package org.deimv2.detector

/** Frames a second, over the last second. For one thread. */
class FrameRate {
    private val times = ArrayDeque<Long>()

    /** Counts a frame at [nanos] of `System.nanoTime`; 0 for the first, and after a pause. */
    fun count(nanos: Long): Double {
        times.addLast(nanos)
        while (nanos - times.first() > SECOND) times.removeFirst()
        val span = nanos - times.first()
        return if (span > 0) (times.size - 1) * SECOND / span.toDouble() else 0.0
    }

    private companion object {
        const val SECOND = 1_000_000_000L
    }
}
