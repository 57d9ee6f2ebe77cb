package org.deimv2.detector

import android.content.Context
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.CompiledModel.GpuOptions.Precision.DEFAULT
import com.google.ai.edge.litert.CompiledModel.GpuOptions.Precision.FP32
import com.google.ai.edge.litert.Environment
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ExecutorCoroutineDispatcher
import kotlinx.coroutines.withContext
import java.io.File
import com.google.ai.edge.litert.Accelerator as LiteRtAccelerator

/**
 * A processor that LiteRT can compile for. NPUs are not among them: without the maker's libraries in
 * the app, LiteRT answers a request for one with the CPU, unsaid.
 */
enum class Accelerator(
    internal val litert: LiteRtAccelerator,
) {
    GPU(LiteRtAccelerator.GPU),
    CPU(LiteRtAccelerator.CPU),
    ;

    companion object {
        /** Those to try for [file], best first: what the manifest says, or all where it does not. */
        fun of(file: ModelFile): List<Accelerator> =
            file.accelerators?.map { valueOf(it.uppercase()) } ?: entries.toList()
    }
}

/** Runs a `.tflite` file by LiteRT's `CompiledModel` (API of LiteRT 2.3.2). */
class LiteRtDetector private constructor(
    manifest: Manifest,
    file: ModelFile,
    thread: ExecutorCoroutineDispatcher,
    private val model: CompiledModel,
    private val made: MutableList<AutoCloseable>,
    accelerator: Accelerator,
    fallbacks: List<String>,
) : ThreadDetector(manifest, file, thread) {
    override val runsOn = "LiteRT $accelerator"
    override val threads = if (accelerator == Accelerator.CPU) cpuThreads() else null
    override var fallbacks: List<String> = fallbacks
        private set
    override var slower = emptyList<String>()
        private set
    private val inputs = mapOf(manifest.inputName to model.createInputBuffer(manifest.inputName).also(made::add))
    private val outputs = manifest.outputs.associate { it.name to model.createOutputBuffer(it.name).also(made::add) }

    override fun run(input: ByteArray): Detections {
        inputs.getValue(manifest.inputName).writeInt8(input)
        model.run(inputs, outputs)
        val boxes = outputs.getValue("boxes").readFloat()
        val scores = outputs.getValue("scores").readFloat()
        val labels = outputs.getValue("labels").readInt()
        requireSizes(boxes.size, scores.size, labels.size)
        return Detections(boxes, scores, labels)
    }

    override fun release() = close(made)

    private fun requireSizes(
        boxes: Int,
        scores: Int,
        labels: Int,
    ) {
        val queries = manifest.queries
        if (boxes != 4 * queries || scores != queries || labels != queries) {
            throw DetectorException(
                "'${file.name}' gives $boxes numbers of boxes, $scores scores and $labels labels, expected " +
                    "${4 * queries}, $queries and $queries; use a file of 'deimv2 export'",
            )
        }
    }

    companion object {
        const val FORMAT = "tflite"

        private const val MOST_THREADS = 4 // of the CPU: more share the slow cores of a phone

        /**
         * Checks the file's hash, then takes the first of [accelerators] that compiles all of it and
         * runs it once; the ones before are in [fallbacks]. One that ended this app's process before
         * is not tried again, as [Trials] remember.
         */
        suspend fun open(
            context: Context,
            manifest: Manifest,
            file: ModelFile,
            accelerators: List<Accelerator> = Accelerator.of(file),
        ): LiteRtDetector =
            onOwnThread { thread ->
                val path = manifest.check(file)
                val fallbacks = mutableListOf<String>()
                for (accelerator in accelerators) {
                    try {
                        return@onOwnThread Trials.of(context).run(file.sha256, accelerator.name) {
                            running(path) { create(context, manifest, file, thread, accelerator, fallbacks.toList()) }
                        }
                    } catch (error: DetectorException) {
                        fallbacks += "$accelerator: ${error.cause?.message ?: error.message}"
                    }
                }
                throw DetectorException("'$path' runs on none of $accelerators ($fallbacks); export or copy it again")
            }

        /**
         * The accelerator on which the golden photographs pass in the least time, as [Trials] remember
         * it, else by running them on each, which takes seconds. [goldens] are read only then. [fallbacks] say
         * what others lacked, [slower] what others took.
         */
        suspend fun fastest(
            context: Context,
            manifest: Manifest,
            file: ModelFile,
            goldens: () -> List<Golden> = { Golden.read(manifest) },
        ): LiteRtDetector {
            val chosen =
                withContext(Dispatchers.IO) {
                    val trials = Trials.of(context)
                    trials.chosen(file.sha256)
                        ?: measured(context, manifest, file, goldens()).also { trials.choose(file.sha256, it) }
                }
            val order = listOf(Accelerator.valueOf(chosen.accelerator), Accelerator.CPU).distinct()
            // out here: withContext would lose an open detector where the caller is cancelled
            return open(context, manifest, file, order).also {
                it.fallbacks += chosen.failed
                it.slower = chosen.slower
            }
        }

        /** A driver may also end the process while the photographs run: they are part of the trial. */
        private suspend fun measured(
            context: Context,
            manifest: Manifest,
            file: ModelFile,
            goldens: List<Golden>,
        ): Choice {
            val path = manifest.check(file)
            return Choice.ofFastest(Accelerator.of(file).map { it.name }) { name ->
                Trials.of(context).run(file.sha256, name) {
                    onOwnThread { thread ->
                        val accelerator = Accelerator.valueOf(name)
                        running(path) { create(context, manifest, file, thread, accelerator, emptyList()) }
                    }.use { Replay.of(it, goldens) }
                }
            }
        }

        private fun create(
            context: Context,
            manifest: Manifest,
            file: ModelFile,
            thread: ExecutorCoroutineDispatcher,
            accelerator: Accelerator,
            fallbacks: List<String>,
        ): LiteRtDetector {
            val environment = Environment.create(context)
            val made = mutableListOf<AutoCloseable>(environment)
            try {
                val path = File(manifest.folder, file.name)
                val options = options(context, accelerator, manifest.precision, file)
                val model = CompiledModel.create(path.path, options, environment).also { made += it }
                val detector = LiteRtDetector(manifest, file, thread, model, made, accelerator, fallbacks)
                detector.run(ByteArray(manifest.inputHeight * manifest.inputWidth * 3))
                return detector
            } catch (error: Throwable) {
                close(made)
                throw error
            }
        }

        /** The last first: buffers are the model's, and it is the environment's. */
        private fun close(made: List<AutoCloseable>) = made.asReversed().forEach { it.close() }

        private fun cpuThreads() = Runtime.getRuntime().availableProcessors().coerceIn(1, MOST_THREADS)

        /** One accelerator, not several: what it cannot take must fail here, and not run elsewhere unsaid. */
        private fun options(
            context: Context,
            accelerator: Accelerator,
            precision: String,
            file: ModelFile,
        ) = CompiledModel.Options(accelerator.litert).apply {
            when (accelerator) {
                Accelerator.CPU -> {
                    cpuOptions = CompiledModel.CpuOptions(numThreads = cpuThreads())
                }

                Accelerator.GPU -> {
                    gpuOptions =
                        CompiledModel.GpuOptions(
                            // GPUs compute in float16 unless told otherwise, too far off where all detections count.
                            precision = if (Limits.OF.getValue(precision).minScore == null) FP32 else DEFAULT,
                            // Compiled kernels: without them each opening compiles for seconds.
                            serializationDir = File(context.cacheDir, "litert-gpu").apply { mkdirs() }.path,
                            modelCacheKey = file.sha256,
                            serializeProgramCache = true,
                        )
                }
            }
        }
    }
}
