package org.deimv2.detector

import android.content.Context
import android.os.Build
import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject
import java.io.File
import java.io.IOException

/**
 * What accelerators did with each file on this device, in a file that outlives the process.
 *
 * A driver can end the process, which no exception announces. So a trial is written down before it
 * begins and crossed out when it ends, well or badly; what still stands there at the next start has
 * ended the process, and is not tried again until [forget].
 *
 * [device]: what a system update changes; it makes all that is known void.
 */
class Trials(
    private val file: File,
    private val device: String,
) {
    private val known: JSONObject = read()

    /** Runs a trial. Throws [DetectorException], without running it, if it ended the process before. */
    @Synchronized
    fun <T> run(
        sha256: String,
        accelerator: String,
        trial: () -> T,
    ): T {
        val name = "$sha256 $accelerator"
        if (name in strings(ENDED)) {
            throw DetectorException("it ended this app's process when it was tried; Trials.forget() allows it again")
        }
        write { put(RUNNING, name) }
        try {
            return trial()
        } finally {
            write { remove(RUNNING) }
        }
    }

    /** Accelerators that ended the process with this file. */
    @Synchronized
    fun ended(sha256: String): List<String> =
        strings(ENDED).filter { it.startsWith("$sha256 ") }.map { it.substringAfter(' ') }

    /** The fastest accelerator that was found for a file; null if none was looked for. */
    @Synchronized
    fun chosen(sha256: String): Choice? {
        val row = known.optJSONObject(CHOSEN)?.optJSONObject(sha256) ?: return null
        val others = row.getJSONArray("others")
        return Choice(row.getString("accelerator"), List(others.length()) { others.getString(it) })
    }

    @Synchronized
    fun choose(
        sha256: String,
        choice: Choice,
    ) = write {
        val row = JSONObject().put("accelerator", choice.accelerator).put("others", JSONArray(choice.others))
        put(CHOSEN, (optJSONObject(CHOSEN) ?: JSONObject()).put(sha256, row))
    }

    /** Everything may be tried again, and is measured again. */
    @Synchronized
    fun forget() =
        write {
            remove(ENDED)
            remove(CHOSEN)
        }

    private fun read(): JSONObject {
        val fresh = JSONObject().put(DEVICE, device)
        val stored =
            try {
                JSONObject(file.readText())
            } catch (_: IOException) {
                return fresh
            } catch (_: JSONException) {
                return fresh
            }
        if (stored.optString(DEVICE) != device) return fresh
        val running = stored.remove(RUNNING) ?: return stored
        val ended = stored.optJSONArray(ENDED) ?: JSONArray()
        return stored.put(ENDED, ended.put(running))
    }

    private fun strings(key: String): List<String> {
        val array = known.optJSONArray(key) ?: return emptyList()
        return List(array.length()) { array.getString(it) }
    }

    /** To a file beside it first: a death while writing leaves the old one. A full disk costs the memory alone. */
    private fun write(change: JSONObject.() -> Unit) {
        known.change()
        try {
            file.parentFile?.mkdirs()
            val part = File(file.path + ".part")
            part.writeText(known.toString())
            part.renameTo(file)
        } catch (_: IOException) {
            return
        }
    }

    companion object {
        private const val DEVICE = "device"
        private const val RUNNING = "running"
        private const val ENDED = "ended"
        private const val CHOSEN = "chosen"

        @Volatile
        private var ofApp: Trials? = null

        /** Those of this app: in its files, until the next system update. */
        fun of(context: Context): Trials =
            ofApp ?: synchronized(this) {
                ofApp ?: Trials(File(context.noBackupFilesDir, "deimv2-trials.json"), Build.FINGERPRINT)
                    .also { ofApp = it }
            }
    }
}

/** The accelerator to use for a file, and what the others did. */
data class Choice(
    val accelerator: String,
    val others: List<String>,
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
            val others = mutableMapOf<String, String>()
            val times = mutableMapOf<String, Double>()
            for (name in accelerators) {
                try {
                    val row = replay(name)
                    if (row.passed) {
                        times[name] = Latency.of(row.milliseconds)?.p50 ?: continue
                    } else {
                        others[name] = row.problems.joinToString("; ")
                    }
                } catch (error: DetectorException) {
                    others[name] = error.message.orEmpty()
                }
            }
            val best =
                times.minByOrNull { it.value }
                    ?: throw DetectorException(
                        "no accelerator detects here what PyTorch detects (${said(others)}); export or copy it again",
                    )
            for ((name, time) in times) {
                if (name != best.key) others[name] = "%.1f ms, %s takes %.1f".format(time, best.key, best.value)
            }
            return Choice(best.key, others.map { (name, reason) -> "$name: $reason" })
        }

        private fun said(reasons: Map<String, String>) =
            reasons.entries.joinToString("; ") { (name, reason) -> "$name: $reason" }
    }
}
