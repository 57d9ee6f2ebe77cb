package org.deimv2.detector

import org.json.JSONObject
import java.nio.ByteBuffer
import kotlin.math.abs
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

class PreprocessorTest {
    private val cases = Vectors.json("frames.json")

    @Test
    fun photosBecomeThePixelsThatPythonSees() {
        val photos = cases.getJSONArray("photos").objects { this }
        assertTrue(photos.size > 10)
        for (case in photos) assertTrue(worstDifference(case, photo(case)) <= 1, case.getString("name"))
    }

    @Test
    fun cameraFramesBecomeThePixelsThatPythonSees() {
        val cameras = cases.getJSONArray("cameras").objects { this }
        assertTrue(cameras.size > 10)
        for (case in cameras) assertTrue(worstDifference(case, camera(case)) <= 1, case.getString("name"))
    }

    @Test
    fun aDirectBufferIsReadLikeAnArray() {
        val case = cases.getJSONArray("cameras").getJSONObject(0)
        assertTrue(worstDifference(case, camera(case, ByteBuffer::allocateDirect)) <= 1)
    }

    @Test
    fun framesOfOtherSizesInTurnDoNotDisturbEachOther() {
        val photos = cases.getJSONArray("photos").objects { this }.filter { it.getJSONArray("size").getInt(1) == 64 }
        assertTrue(photos.map { it.getInt("width") }.distinct().size > 1)
        val preprocessor = Preprocessor(32, 64)
        repeat(2) {
            for (case in photos) {
                assertTrue(worstDifference(case, photo(case), preprocessor) <= 1, case.getString("name"))
            }
        }
    }

    @Test
    fun noBufferIsAllocatedPerFrame() {
        for (frame in listOf(
            photo(cases.getJSONArray("photos").getJSONObject(0)),
            camera(cases.getJSONArray("cameras").getJSONObject(1)),
        )) {
            val preprocessor = Preprocessor(320, 320)
            preprocessor.fill(frame)
            val before = allocated()
            repeat(10) { preprocessor.fill(frame) }
            val bytes = allocated() - before
            assertTrue(bytes < 20_000, "$bytes bytes in 10 frames")
            preprocessor.close()
        }
    }

    /** By this thread so far, as the JVM counts it; by name, as Android has no such class. */
    private fun allocated(): Long {
        val beans = Class.forName("java.lang.management.ManagementFactory").getMethod("getThreadMXBean").invoke(null)
        val count =
            Class
                .forName(
                    "com.sun.management.ThreadMXBean",
                ).getMethod("getThreadAllocatedBytes", Long::class.java)
        return count.invoke(beans, Thread.currentThread().id) as Long
    }

    @Test
    fun whatIsNoFrameIsRefusedInOneLine() {
        val plane = Plane(ByteBuffer.allocate(12), 4, 1)
        for (wrong in listOf(
            { RgbFrame(IntArray(0), 0, 4) },
            { RgbFrame(IntArray(11), 3, 4) },
            { RgbFrame(IntArray(12), 3, 4, 45) },
            { YuvFrame(plane, plane, plane, 4, 4) },
        )) {
            val said = assertFailsWith<DetectorException> { wrong() }.message.orEmpty()
            assertTrue("expected" in said && '\n' !in said, said)
        }
    }

    private fun worstDifference(
        case: JSONObject,
        frame: Frame,
        preprocessor: Preprocessor? = null,
    ): Int {
        val (height, width) = case.getJSONArray("size").map { getInt(it) }
        val input = (preprocessor ?: Preprocessor(height, width)).fill(frame)
        val expected = Vectors.bytes(case.getString("expected"))
        assertEquals(expected.size, input.size)
        return input.indices.maxOf { abs((input[it].toInt() and 0xFF) - (expected[it].toInt() and 0xFF)) }
    }

    private fun photo(case: JSONObject): Frame {
        val rgb = Vectors.bytes(case.getString("file")).map { it.toInt() and 0xFF }
        val pixels = rgb.chunked(3) { (r, g, b) -> 0x7F shl 24 or (r shl 16) or (g shl 8) or b }
        return RgbFrame(pixels.toIntArray(), case.getInt("width"), case.getInt("height"), case.getInt("rotation"))
    }

    private fun camera(
        case: JSONObject,
        allocate: (Int) -> ByteBuffer = ByteBuffer::allocate,
    ): Frame {
        val bytes = Vectors.bytes(case.getString("file"))
        val (y, u, v) =
            listOf("y", "u", "v").map { name ->
                val plane = case.getJSONObject(name)
                val at = plane.getInt("offset")
                val samples = allocate(bytes.size - at).apply { put(bytes, at, bytes.size - at).rewind() }
                Plane(samples, plane.getInt("row_stride"), plane.getInt("pixel_stride"))
            }
        return YuvFrame(y, u, v, case.getInt("width"), case.getInt("height"), case.getInt("rotation"))
    }
}
