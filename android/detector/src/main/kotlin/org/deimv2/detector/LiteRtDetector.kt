package org.deimv2.detector

import android.content.Context
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.Environment
import kotlinx.coroutines.ExecutorCoroutineDispatcher
import java.io.File
import com.google.ai.edge.litert.Accelerator as LiteRtAccelerator

/** A processor that LiteRT can compile for. */
enum class Accelerator(
    internal val litert: LiteRtAccelerator,
) {
    NPU(LiteRtAccelerator.NPU),
    GPU(LiteRtAccelerator.GPU),
    CPU(LiteRtAccelerator.CPU),
}

/** Runs a `.tflite` file by LiteRT's `CompiledModel` (API of LiteRT 2.3.0). */
class LiteRtDetector private constructor(
    manifest: Manifest,
    file: ModelFile,
    thread: ExecutorCoroutineDispatcher,
    private val environment: Environment,
    private val model: CompiledModel,
    accelerator: Accelerator,
    override val fallbacks: List<String>,
) : ThreadDetector(manifest, file, thread) {
    override val runsOn = "LiteRT $accelerator"
    private val inputs = mapOf(manifest.inputName to model.createInputBuffer(manifest.inputName))
    private val outputs = manifest.outputs.associate { it.name to model.createOutputBuffer(it.name) }

    override fun run(
        input: ByteArray,
        into: Detections,
    ) {
        inputs.getValue(manifest.inputName).writeInt8(input)
        model.run(inputs, outputs)
        val boxes = outputs.getValue("boxes").readFloat()
        val scores = outputs.getValue("scores").readFloat()
        val labels = outputs.getValue("labels").readInt()
        requireSizes(into, boxes.size, scores.size, labels.size)
        boxes.copyInto(into.boxes)
        scores.copyInto(into.scores)
        labels.copyInto(into.labels)
    }

    override fun release() {
        inputs.values.forEach { it.close() }
        outputs.values.forEach { it.close() }
        model.close()
        environment.close()
    }

    private fun requireSizes(
        into: Detections,
        boxes: Int,
        scores: Int,
        labels: Int,
    ) {
        if (boxes != into.boxes.size || scores != into.size || labels != into.size) {
            throw DetectorException(
                "'${file.name}' gives $boxes numbers of boxes, $scores scores and $labels labels, expected " +
                    "${into.boxes.size}, ${into.size} and ${into.size}; use a file of 'deimv2 export'",
            )
        }
    }

    companion object {
        const val FORMAT = "tflite"

        /**
         * Checks the file's hash, then takes the first of [accelerators] that compiles all of it and
         * runs it once; the ones before are in [fallbacks].
         */
        suspend fun open(
            context: Context,
            manifest: Manifest,
            file: ModelFile,
            accelerators: List<Accelerator> = listOf(Accelerator.GPU, Accelerator.CPU),
        ): LiteRtDetector =
            onOwnThread { thread ->
                val path = manifest.check(file)
                val fallbacks = mutableListOf<String>()
                for (accelerator in accelerators) {
                    try {
                        return@onOwnThread running(path) {
                            open(context, manifest, file, thread, path, accelerator, fallbacks.toList())
                        }
                    } catch (error: DetectorException) {
                        fallbacks += "$accelerator: ${error.cause?.message ?: error.message}"
                    }
                }
                throw DetectorException("'$path' runs on none of $accelerators ($fallbacks); export or copy it again")
            }

        private fun open(
            context: Context,
            manifest: Manifest,
            file: ModelFile,
            thread: ExecutorCoroutineDispatcher,
            path: File,
            accelerator: Accelerator,
            fallbacks: List<String>,
        ): LiteRtDetector {
            // Where an NPU's libraries lie, if the app carries some.
            val libraries = context.applicationInfo.nativeLibraryDir
            val environment = Environment.create(mapOf(Environment.Option.DispatchLibraryDir to libraries))
            var model: CompiledModel? = null
            try {
                model = CompiledModel.create(path.path, options(accelerator, manifest.precision), environment)
                val detector = LiteRtDetector(manifest, file, thread, environment, model, accelerator, fallbacks)
                detector.run(ByteArray(manifest.inputHeight * manifest.inputWidth * 3), Detections(manifest.queries))
                return detector
            } catch (error: Throwable) {
                model?.close()
                environment.close()
                throw error
            }
        }

        /** One accelerator, not several: what it cannot take must fail here, and not run elsewhere unsaid. */
        private fun options(
            accelerator: Accelerator,
            precision: String,
        ) = CompiledModel.Options(accelerator.litert).apply {
            if (accelerator == Accelerator.GPU && precision == "fp32") {
                // GPUs compute in float16 unless told otherwise.
                gpuOptions = CompiledModel.GpuOptions(precision = CompiledModel.GpuOptions.Precision.FP32)
            }
        }
    }
}
