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

    /** Samples of the standards' colour bars, in 8 bits. */
    @Test
    fun videosHaveTheColoursOfTheirStandard() {
        val red = 0xFF0000
        val green = 0x00FF00
        val limited601 = YuvColours.bt601(limited = true)
        val limited709 = YuvColours.bt709(limited = true)
        assertEquals(0x000000, pixel(limited709, 16, 128, 128))
        assertEquals(0xFFFFFF, pixel(limited709, 235, 128, 128))
        for ((colours, sample, expected) in listOf(
            Triple(limited601, listOf(81, 90, 240), red),
            Triple(limited601, listOf(145, 54, 34), green),
            Triple(limited709, listOf(63, 102, 240), red),
            Triple(limited709, listOf(173, 42, 26), green),
            Triple(YuvColours.bt2020(limited = true), listOf(74, 97, 240), red),
            Triple(YuvColours.bt709(limited = false), listOf(54, 99, 255), red),
        )) {
            val (y, u, v) = sample
            val found = pixel(colours, y, u, v)
            for (shift in listOf(16, 8, 0)) {
                val off = abs((found shr shift and 0xFF) - (expected shr shift and 0xFF))
                assertTrue(off <= 2, "$sample gives %06x, expected %06x".format(found, expected))
            }
        }
    }

    private fun pixel(
        colours: YuvColours,
        y: Int,
        u: Int,
        v: Int,
    ): Int {
        val (luma, blue, red) = listOf(y, u, v).map { Plane(ByteBuffer.wrap(byteArrayOf(it.toByte())), 1, 1) }
        val frame = YuvFrame(luma, blue, red, 1, 1, colours = colours)
        return Preprocessor(1, 1).fill(frame).fold(0) { rgb, byte -> rgb shl 8 or (byte.toInt() and 0xFF) }
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
