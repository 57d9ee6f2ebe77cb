package org.deimv2.detector

import java.nio.ByteBuffer
import kotlin.random.Random

private const val WARM_UP = 60
private const val RUNS = 100

/** `./dev android times`: milliseconds from a camera's frame (NV12) to the model's input on two threads. */
fun main() {
    println("frame      turned  input    median     p95")
    for ((width, height) in listOf(640 to 480, 1280 to 720, 1920 to 1440)) {
        for (rotation in listOf(0, 90)) {
            for (side in listOf(320, 640)) {
                val frame = noise(width, height, rotation)
                val preprocessor = Preprocessor(side, side)
                repeat(WARM_UP) { preprocessor.fill(frame) }
                val times =
                    List(RUNS) {
                        val start = System.nanoTime()
                        preprocessor.fill(frame)
                        (System.nanoTime() - start) / 1e6
                    }.sorted()
                val row = "%-10s %6d  %5d  %7.2f  %7.2f"
                println(row.format("${width}x$height", rotation, side, times[RUNS / 2], times[RUNS * 95 / 100]))
            }
        }
    }
}

private fun noise(
    width: Int,
    height: Int,
    rotation: Int,
): Frame {
    val luma = direct(Random(1).nextBytes(width * height))
    val chroma = Random(2).nextBytes(width * height / 2)
    val blue = Plane(direct(chroma.copyOf(chroma.size - 1)), width, 2)
    val red = Plane(direct(chroma.copyOfRange(1, chroma.size)), width, 2)
    return YuvFrame(Plane(luma, width, 1), blue, red, width, height, rotation)
}

/** As cameras give them. */
private fun direct(bytes: ByteArray): ByteBuffer = ByteBuffer.allocateDirect(bytes.size).apply { put(bytes).rewind() }
