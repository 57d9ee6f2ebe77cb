// Compile-only stand-in for com.google.ai.edge.litert:litert 2.3.0: the declarations that `detector`
// uses, after https://developers.google.com/edge/api/litert/kotlin (read November 2026). No behaviour.

package com.google.ai.edge.litert

class LiteRtException(
    message: String,
) : Exception(message)

enum class Accelerator { NONE, CPU, GPU, NPU }

abstract class JniHandle internal constructor() : AutoCloseable {
    final override fun close(): Unit = throw UnsupportedOperationException()
}

class Environment private constructor() : JniHandle() {
    enum class Option { CompilerPluginLibraryDir, DispatchLibraryDir }

    companion object {
        fun create(options: Map<Option, String> = mapOf()): Environment = throw UnsupportedOperationException()
    }
}

class TensorBuffer internal constructor() : JniHandle() {
    fun writeInt8(data: ByteArray): Unit = throw UnsupportedOperationException()

    fun readFloat(): FloatArray = throw UnsupportedOperationException()

    fun readInt(): IntArray = throw UnsupportedOperationException()
}

class CompiledModel private constructor() : JniHandle() {
    data class GpuOptions(
        val precision: Precision? = null,
    ) {
        enum class Precision { DEFAULT, FP16, FP32 }
    }

    class Options(
        vararg accelerators: Accelerator,
    ) {
        var gpuOptions: GpuOptions? = null
    }

    fun createInputBuffer(
        inputName: String,
        signature: String? = null,
    ): TensorBuffer = throw UnsupportedOperationException()

    fun createOutputBuffer(
        outputName: String,
        signature: String? = null,
    ): TensorBuffer = throw UnsupportedOperationException()

    fun run(
        inputs: Map<String, TensorBuffer>,
        outputs: Map<String, TensorBuffer>,
        signature: String? = null,
    ): Unit = throw UnsupportedOperationException()

    companion object {
        fun create(
            filePath: String,
            options: Options,
            optionalEnv: Environment? = null,
        ): CompiledModel = throw UnsupportedOperationException()
    }
}
