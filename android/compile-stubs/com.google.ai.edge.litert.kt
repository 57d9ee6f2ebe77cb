// Compile-only stand-in for com.google.ai.edge.litert:litert 2.3.2: the declarations that `detector` uses. No behaviour.
// Sources: google-ai-edge/LiteRT at f67457790c9c, litert/kotlin/src/main/kotlin/com/google/ai/edge/litert,
// Common.kt Environment.kt LiteRtException.kt Model.kt TensorBuffer.kt

package com.google.ai.edge.litert

import android.content.Context

enum class Accelerator { NONE, CPU, GPU, NPU }

abstract class JniHandle internal constructor() : AutoCloseable {
    final override fun close(): Unit = throw UnsupportedOperationException()
}

class Environment private constructor() : JniHandle() {
    enum class Option { CompilerPluginLibraryDir, DispatchLibraryDir }

    companion object {
        fun create(
            context: Context,
            options: Map<Option, String> = mapOf(),
            enableCompilerCache: Boolean = true,
        ): Environment = throw UnsupportedOperationException()
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
        val serializationDir: String? = null,
        val modelCacheKey: String? = null,
        val serializeProgramCache: Boolean? = null,
    ) {
        enum class Precision { DEFAULT, FP16, FP32 }
    }

    data class CpuOptions(
        val numThreads: Int? = null,
        val xnnPackFlags: Int? = null,
        val xnnPackWeightCachePath: String? = null,
    )

    class Options(
        vararg accelerators: Accelerator,
    ) {
        var cpuOptions: CpuOptions? = null
        var gpuOptions: GpuOptions? = null
    }

    fun createInputBuffer(
        inputName: String,
        signature: String = "",
    ): TensorBuffer = throw UnsupportedOperationException()

    fun createOutputBuffer(
        outputName: String,
        signature: String = "",
    ): TensorBuffer = throw UnsupportedOperationException()

    fun run(
        inputs: Map<String, TensorBuffer>,
        outputs: Map<String, TensorBuffer>,
        signature: String = "",
    ): Unit = throw UnsupportedOperationException()

    companion object {
        fun create(
            filePath: String,
            options: Options = Options(Accelerator.CPU),
            optionalEnv: Environment? = null,
        ): CompiledModel = throw UnsupportedOperationException()
    }
}
