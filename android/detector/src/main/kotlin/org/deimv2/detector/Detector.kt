package org.deimv2.detector

import android.content.Context
import kotlinx.coroutines.ExecutorCoroutineDispatcher
import kotlinx.coroutines.asCoroutineDispatcher
import kotlinx.coroutines.withContext
import java.io.File
import java.util.concurrent.Executors
import java.util.concurrent.atomic.AtomicBoolean

/** An artifact that is ready to run. Safe to call from any thread: frames are taken one after another. */
interface Detector : AutoCloseable {
    val manifest: Manifest

    /** The artifact that runs. */
    val file: ModelFile

    /** Runtime and processor, for example "LiteRT GPU". */
    val runsOn: String

    /** Of the CPU; null where it does not compute, or the runtime chooses. */
    val threads: Int? get() = null

    /** What was asked for first and did not work, with the reason; empty if nothing. */
    val fallbacks: List<String>

    /** What passes here as well, but takes more time; empty where that was not measured. */
    val slower: List<String> get() = emptyList()

    /**
     * Detections of one frame, best first, off the caller's thread. For a frame of the same size as the
     * one before, nothing is allocated but the result.
     *
     * Throws [DetectorException] if the artifact fails or gives what the manifest does not say.
     */
    suspend fun detect(frame: Frame): Detections

    /** Frees the runtime once the frame that is running is done; a later [detect] is cancelled. */
    override fun close()

    companion object {
        /**
         * Reads the export below [folder] of the app's assets and opens its first file that Android runs: a `.tflite`
         * on the processor on which it is fastest, as [LiteRtDetector.fastest] finds it. Throws [DetectorException].
         */
        suspend fun open(
            context: Context,
            folder: String = Artifacts.FOLDER,
        ): Detector {
            val manifest = Artifacts.read(context, folder)
            return open(context, manifest, manifest.runnable().first())
        }

        /** The same for a [file] of a [manifest] that was read. */
        suspend fun open(
            context: Context,
            manifest: Manifest,
            file: ModelFile,
        ): Detector =
            when (file.format) {
                LiteRtDetector.FORMAT -> {
                    LiteRtDetector.fastest(context, manifest, file)
                }

                ExecuTorchDetector.FORMAT -> {
                    ExecuTorchDetector.open(context, manifest, file)
                }

                else -> {
                    throw DetectorException(
                        "'${file.name}' is a .${file.format}, expected a .tflite or a .pte; export with --format tflite",
                    )
                }
            }
    }
}

/** What both runtimes share: one thread, which some GPU drivers ask for, and the input. */
abstract class ThreadDetector internal constructor(
    final override val manifest: Manifest,
    final override val file: ModelFile,
    private val thread: ExecutorCoroutineDispatcher,
) : Detector {
    private val preprocessor = Preprocessor(manifest.inputHeight, manifest.inputWidth)
    private val closed = AtomicBoolean()

    override suspend fun detect(frame: Frame): Detections =
        withContext(thread) {
            val start = System.nanoTime()
            val input = preprocessor.fill(frame)
            val ready = System.nanoTime()
            val found = running(File(manifest.folder, file.name)) { run(input) }
            found.preprocessNanos = ready - start
            found.inferenceNanos = System.nanoTime() - ready
            for (label in found.labels) manifest.nameOf(label)
            found
        }

    override fun close() {
        if (!closed.compareAndSet(false, true)) return
        thread.executor.execute {
            release()
            preprocessor.close()
        }
        thread.close()
    }

    /** Runs on uint8 RGB [H, W, 3]. */
    protected abstract fun run(input: ByteArray): Detections

    protected abstract fun release()

    internal companion object {
        /** Opens a detector on a thread of its own, which ends with it. */
        suspend fun <T : ThreadDetector> onOwnThread(open: suspend (ExecutorCoroutineDispatcher) -> T): T {
            val thread = Executors.newSingleThreadExecutor { Thread(it, "deimv2") }.asCoroutineDispatcher()
            var opened: T? = null
            try {
                return withContext(thread) { open(thread).also { opened = it } }
            } catch (error: Throwable) {
                // where the caller was cancelled meanwhile, it is open and nobody's
                opened?.close() ?: thread.close()
                throw error
            }
        }

        /** Turns a runtime's own exceptions into one that names the file. */
        fun <T> running(
            path: File,
            block: () -> T,
        ): T =
            try {
                block()
            } catch (error: DetectorException) {
                throw error
            } catch (error: Exception) {
                // LiteRtException, ExecutorchRuntimeException
                throw DetectorException(
                    "'$path' is no whole .${path.extension} file that runs here (${reasonOf(error)}); " +
                        "export or copy it again",
                    error,
                )
            } catch (error: LinkageError) {
                // a native library that this processor or this app lacks
                throw DetectorException(
                    "the runtime of '$path' cannot be loaded on this device (${reasonOf(error)}), expected its " +
                        "native library for ${System.getProperty("os.arch")}; check what the app packages",
                    error,
                )
            }

        private fun reasonOf(error: Throwable): String =
            error.message
                ?.trim()
                ?.lineSequence()
                ?.first()
                ?.take(160)
                ?.trimEnd('.', ' ')
                ?: error.javaClass.simpleName
    }
}
