package org.deimv2.detector

import android.content.Context
import android.os.Build
import android.os.Process
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext
import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject
import java.io.File
import java.io.IOException

/**
 * What accelerators did with each file on this device, in a file that outlives the process.
 *
 * A driver can end the process, which no exception announces. So a trial is written down before it
 * begins and crossed out when it ends, well or badly. Where one still stands there at the next start,
 * [deathOf] says whether the driver ended the process [pid] after the trial had begun, in milliseconds since
 * 1970; if so, it is not tried again until [forget].
 *
 * [device]: what an update of system or app changes; it makes all that is known void.
 */
class Trials internal constructor(
    private val file: File,
    private val device: String,
    private val pid: Int,
    private val deathOf: (pid: Int, begun: Long) -> Death,
) {
    private val known by lazy(::read)
    private val oneAtATime = Mutex() // else nobody could say which one ended the process

    /**
     * Runs a trial; one on the CPU, which has no driver, unrecorded. Throws [DetectorException], without
     * running it, if it ended the process before; the sentence calls it [subject]. Reads and writes a small
     * file on the caller's thread.
     */
    internal suspend fun <T> run(
        sha256: String,
        accelerator: String,
        subject: String = "it",
        trial: suspend () -> T,
    ): T {
        if (accelerator == CPU) return trial()
        val name = "$sha256 $accelerator"
        return oneAtATime.withLock {
            if (hasEnded(name)) {
                throw DetectorException(
                    "$subject ended this app's process when it was tried; Trials.forget() allows it again",
                )
            }
            begin(name)
            val result = runCatching { trial() }
            end(name, clears = result.exceptionOrNull() !is CancellationException)
            result.getOrThrow()
        }
    }

    /** The fastest accelerator that was found for a file; null if none was looked for. Reads and writes as [run]. */
    @Synchronized
    internal fun chosen(sha256: String): Choice? {
        val row = known.optJSONObject(CHOSEN)?.optJSONObject(sha256) ?: return null
        return Choice(row.getString("accelerator"), row.strings("failed"), row.strings("slower"))
    }

    @Synchronized
    internal fun choose(
        sha256: String,
        choice: Choice,
    ) = write {
        val row =
            JSONObject()
                .put("accelerator", choice.accelerator)
                .put("failed", JSONArray(choice.failed))
                .put("slower", JSONArray(choice.slower))
        put(CHOSEN, (optJSONObject(CHOSEN) ?: JSONObject()).put(sha256, row))
    }

    /** Everything may be tried again, and is measured again. */
    suspend fun forget() =
        withContext(Dispatchers.IO) {
            synchronized(this@Trials) {
                write { listOf(ENDED, SUSPECTED, CHOSEN).forEach(::remove) }
            }
        }

    @Synchronized
    private fun hasEnded(name: String) = name in known.strings(ENDED)

    @Synchronized
    private fun begin(name: String) =
        write {
            val begun = System.currentTimeMillis()
            put(RUNNING, JSONObject().put("trial", name).put("pid", pid).put("begun", begun))
        }

    /** [clears]: it came to its end, well or badly, in this process. */
    @Synchronized
    private fun end(
        name: String,
        clears: Boolean,
    ) = write {
        remove(RUNNING)
        if (clears) put(SUSPECTED, JSONArray(strings(SUSPECTED) - name))
    }

    private fun read(): JSONObject {
        try {
            val stored = JSONObject(file.readText())
            if (stored.optString(DEVICE) == device) return stored.apply { if (has(RUNNING)) judge() }
        } catch (_: IOException) {
            // none yet
        } catch (_: JSONException) {
            // damaged: all is found out anew
        }
        return JSONObject().put(DEVICE, device)
    }

    /**
     * Whether what was running ended the process: surely, or now for the second time perhaps. Kept at once,
     * as the system's own record of the death will not be.
     */
    private fun JSONObject.judge() {
        val running = getJSONObject(RUNNING)
        val name = running.getString("trial")
        val key =
            when (deathOf(running.getInt("pid"), running.getLong("begun"))) {
                Death.DRIVER -> ENDED
                Death.UNCLEAR -> if (name in strings(SUSPECTED)) ENDED else SUSPECTED
                Death.OTHER -> null
            }
        key?.let { put(it, JSONArray(strings(it) + name)) }
        remove(RUNNING)
        save(this)
    }

    private fun write(change: JSONObject.() -> Unit) = save(known.apply(change))

    /** To a file beside it first: a death while writing leaves the old one. A full disk costs the memory alone. */
    private fun save(all: JSONObject) {
        try {
            file.parentFile?.mkdirs()
            val part = File(file.path + ".part")
            part.writeText(all.toString())
            part.renameTo(file)
        } catch (_: IOException) {
            return
        }
    }

    companion object {
        internal const val CPU = "CPU"
        private const val DEVICE = "device"
        private const val RUNNING = "running"
        private const val ENDED = "ended"
        private const val SUSPECTED = "suspected" // perhaps ended the process, once
        private const val CHOSEN = "chosen"

        @Volatile
        private var ofApp: Trials? = null

        /** Those of this app: in its files, until the next update of the system or the app, with its runtimes. */
        fun of(context: Context): Trials = ofApp ?: synchronized(this) { ofApp ?: made(context).also { ofApp = it } }

        /** Of a `.pte` file's delegates, those with a driver; XNNPACK computes on the CPU. */
        internal fun acceleratorOf(delegates: List<String>): String =
            (delegates - "XnnpackBackend").joinToString(" ").ifEmpty { CPU }

        private fun made(context: Context): Trials {
            val app = context.applicationContext
            val updated = app.packageManager.getPackageInfo(app.packageName, 0).lastUpdateTime
            val file = File(app.noBackupFilesDir, "deimv2-trials.json")
            return Trials(file, "${Build.FINGERPRINT} $updated", Process.myPid()) { pid, begun ->
                Death.of(app, pid, begun)
            }
        }

        private fun JSONObject.strings(key: String) = optJSONArray(key)?.map { getString(it) }.orEmpty()
    }
}

/** The accelerator to use for a file; why others [failed], and how much [slower] those are that pass as well. */
data class Choice(
    val accelerator: String,
    val failed: List<String>,
    val slower: List<String>,
) {
    companion object {
        /**
         * Replays on each, and takes the one that passes in the least time, by the median over the
         * photographs. Throws [DetectorException] with every reason if none passes.
         */
        suspend fun ofFastest(
            accelerators: List<String>,
            replay: suspend (String) -> Replay,
        ): Choice {
            val failed = mutableListOf<String>()
            val times = mutableMapOf<String, Double>()
            for (name in accelerators) {
                try {
                    val row = replay(name)
                    if (row.passed) {
                        times[name] = Latency.of(row.milliseconds)?.p50 ?: continue
                    } else {
                        failed += "$name: ${row.problems.joinToString("; ")}"
                    }
                } catch (error: DetectorException) {
                    failed += "$name: ${error.message}"
                }
            }
            val (best, least) =
                times.minByOrNull { it.value }
                    ?: throw DetectorException(
                        "no accelerator detects here what PyTorch detects (${failed.joinToString("; ")}); " +
                            "choose a processor yourself, or copy the folder or export again",
                    )
            val slower = (times - best).map { "${it.key}: %.1f ms, $best takes %.1f".format(it.value, least) }
            return Choice(best, failed, slower)
        }
    }
}
