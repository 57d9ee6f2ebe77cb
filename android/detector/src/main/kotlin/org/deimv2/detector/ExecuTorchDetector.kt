package org.deimv2.detector

import android.content.Context
import kotlinx.coroutines.ExecutorCoroutineDispatcher
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Module
import org.pytorch.executorch.Tensor

/** Runs a `.pte` file by ExecuTorch (`org.pytorch:executorch-android` 1.5.1), on the delegates inside the file. */
class ExecuTorchDetector private constructor(
    manifest: Manifest,
    file: ModelFile,
    thread: ExecutorCoroutineDispatcher,
    private val module: Module,
) : ThreadDetector(manifest, file, thread) {
    private val delegates = backendsOf(module)
    override val runsOn = "ExecuTorch ${delegates.joinToString().ifEmpty { "CPU" }}"
    override val fallbacks =
        if (delegates.isEmpty()) {
            listOf(
                "no delegate in '${file.name}': every operation runs on the CPU",
            )
        } else {
            emptyList()
        }

    private val pixels = Tensor.allocateByteBuffer(manifest.inputHeight * manifest.inputWidth * 3)
    private val input =
        EValue.from(
            Tensor.fromBlobUnsigned(
                pixels,
                longArrayOf(1, manifest.inputHeight.toLong(), manifest.inputWidth.toLong(), 3),
            ),
        )

    override fun run(input: ByteArray): Detections {
        pixels.clear()
        pixels.put(input)
        val outputs = module.forward(this.input)
        return Detections(
            output(outputs, "boxes").dataAsFloatArray,
            output(outputs, "scores").dataAsFloatArray,
            output(outputs, "labels").dataAsIntArray,
        )
    }

    override fun release() = module.close()

    /** A `.pte` file's outputs carry no names: the manifest says which is which, and in what shape. */
    private fun output(
        outputs: Array<EValue>,
        name: String,
    ): Tensor {
        val place = manifest.outputs.indexOfFirst { it.name == name }
        val tensor = outputs.getOrNull(place)?.takeIf { it.isTensor }?.toTensor()
        val shape = tensor?.shape()?.map { it.toInt() }
        if (tensor == null || shape != manifest.outputs[place].shape) {
            throw DetectorException(
                "'${file.name}' gives ${shape ?: "nothing"} for $name, expected ${manifest.outputs[place].shape}; " +
                    "use a file of 'deimv2 export'",
            )
        }
        return tensor
    }

    companion object {
        const val FORMAT = "pte"
        private const val METHOD = "forward"

        /**
         * Checks the file's hash first: the runtime may end the app on a damaged file. Then runs it once; where a
         * delegate's driver ended this app's process doing so before, it is not tried again, as [Trials] remember.
         */
        suspend fun open(
            context: Context,
            manifest: Manifest,
            file: ModelFile,
        ): ExecuTorchDetector =
            onOwnThread { thread ->
                val path = manifest.check(file)
                val module = running(path) { Module.load(path.path, Module.LOAD_MODE_MMAP) } // no delegate starts yet
                try {
                    val accelerator = Trials.acceleratorOf(running(path) { backendsOf(module) })
                    Trials.of(context).run(file.sha256, accelerator, subject = accelerator) {
                        running(path) { create(manifest, file, thread, module) }
                    }
                } catch (error: Throwable) {
                    module.close()
                    throw error
                }
            }

        private fun create(
            manifest: Manifest,
            file: ModelFile,
            thread: ExecutorCoroutineDispatcher,
            module: Module,
        ): ExecuTorchDetector {
            module.loadMethod(METHOD)
            val detector = ExecuTorchDetector(manifest, file, thread, module)
            detector.run(ByteArray(manifest.inputHeight * manifest.inputWidth * 3))
            return detector
        }

        private fun backendsOf(module: Module) = module.getMethodMetadata(METHOD).backends.toList()
    }
}
