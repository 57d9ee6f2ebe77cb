package org.deimv2.detector

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
