package org.deimv2.detector

import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject
import org.json.JSONTokener
import java.io.File
import java.io.IOException
import java.nio.ByteBuffer
import java.security.MessageDigest

/** An artifact beside the manifest. [format]: tflite or pte here; onnx, mlpackage and aimodel are for others. */
data class ModelFile(
    val format: String,
    val name: String,
    val sha256: String,
    val bytes: Long,
    /** "gpu" and "cpu", those on which it was seen to run, best first; null where only the CPU was tried. */
    val accelerators: List<String>? = null,
    /** What opening and running it adds on the desktop (`deimv2 benchmark --record`); null where not measured. */
    val memoryMb: Double? = null,
)

/** An output of every artifact; [name] is boxes, scores or labels. */
data class OutputSpec(
    val name: String,
    val shape: List<Int>,
)

/** A photograph at input size and the detections to expect on it; paths below the folder. */
data class GoldenFile(
    val image: String,
    val imageSha256: String,
    val detections: String,
    val detectionsSha256: String,
)

/** `manifest.json` of a folder that `deimv2 export` wrote: all that an app has to know about it. */
data class Manifest(
    val folder: File,
    val variant: String,
    val precision: String,
    val inputName: String,
    val inputHeight: Int,
    val inputWidth: Int,
    val outputs: List<OutputSpec>,
    val labels: List<String>,
    val files: List<ModelFile>,
    val golden: List<GoldenFile>,
    val scoreThreshold: Float,
    /** By language tag (BCP 47), as many class names as [labels]. */
    val translations: Map<String, List<String>> = emptyMap(),
) {
    /** How many detections an artifact gives for a frame. */
    val queries: Int get() = outputs.first().shape[1]

    /**
     * The class's name, in [language] where a translation fits it. Give the tag of the user's first language, and of
     * no other: nothing says which language [labels] are in, and it may be the first one.
     *
     * Throws [DetectorException] for a label without a name.
     */
    fun nameOf(
        label: Int,
        language: String? = null,
    ): String =
        namesIn(language).getOrNull(label) ?: throw DetectorException(
            "label $label has no name, expected 0 to ${labels.size - 1}; " +
                "use the label list that the model was trained with",
        )

    /** The files that Android runs, in the manifest's order. Throws [DetectorException] where there are none. */
    fun runnable(): List<ModelFile> =
        files.filter { it.format in FORMATS }.ifEmpty {
            throw DetectorException(
                "'$folder' has no file for Android, expected a .tflite or a .pte; export with --format tflite",
            )
        }

    private fun namesIn(language: String?): List<String> =
        language?.let { translationFor(translations.keys, it) }?.let(translations::get) ?: labels

    /** The artifact on disk. Throws [DetectorException] if it is missing or not the one of the manifest. */
    fun check(file: ModelFile): File = checked(file.name, file.sha256)

    /** Throws [DetectorException] if a golden file is missing or not the one of the manifest. */
    fun check(golden: GoldenFile) {
        checked(golden.image, golden.imageSha256)
        checked(golden.detections, golden.detectionsSha256)
    }

    private fun checked(
        name: String,
        sha256: String,
    ): File {
        val path = File(folder, name)
        if (!path.exists()) {
            throw DetectorException("'$path' is missing, the manifest lists it with SHA-256 $sha256; export again")
        }
        val found = reading(path) { sha256Of(path) }
        if (found != sha256) {
            throw DetectorException(
                "'$path' has SHA-256 $found, the manifest expects $sha256; " +
                    "it was damaged or replaced: copy the folder or export again",
            )
        }
        return path
    }

    companion object {
        const val NAME = "manifest.json"
        private val FORMATS = listOf(LiteRtDetector.FORMAT, ExecuTorchDetector.FORMAT)
        private const val SCHEMA = "/org/deimv2/detector/manifest.schema.json"
        private const val SCHEMA_VERSION = 2

        /** Reads and validates the manifest of [folder]; no other file is opened. */
        fun read(folder: File): Manifest {
            val path = File(folder, NAME)
            if (!path.isFile) {
                throw DetectorException(
                    "no $NAME in '$folder', expected a folder that 'deimv2 export' wrote; " +
                        "check the path or export again",
                )
            }
            val content =
                parse(reading(path) { path.readText() })
                    ?: throw DetectorException("'$path' is not JSON, expected a manifest; export again")
            val version = (content as? JSONObject)?.opt("schema_version")
            if ((version is Int || version is Long) && (version as Number).toLong() > SCHEMA_VERSION) {
                throw DetectorException(
                    "'$path' has schema version $version, this program reads up to $SCHEMA_VERSION; " +
                        "install a newer deimv2, or export again with this one",
                )
            }
            val problem = schema.problemOf(content) ?: wrongCount(content as JSONObject)
            if (problem != null) throw DetectorException("'$path' is no valid manifest $problem; export again")
            listedTwice(content as JSONObject)?.let {
                throw DetectorException("'$path' lists '$it' twice, expected each file once; export again")
            }
            return of(folder, content)
        }

        /** What no schema can say: a translation has a name for each class. */
        private fun wrongCount(content: JSONObject): String? {
            val count = content.getJSONArray("labels").length()
            val translations = content.optJSONObject("translations") ?: return null
            for (tag in translations.keys().asSequence().sorted()) {
                val found = translations.getJSONArray(tag).length()
                if (found != count) {
                    return "at \$.translations.$tag: found a list of $found, expected $count, one for each class"
                }
            }
            return null
        }

        /** The first file that is there more than once. */
        private fun listedTwice(content: JSONObject): String? {
            val names = content.getJSONArray("files").objects { getString("name") }
            return names.firstOrNull { name -> names.count { it == name } > 1 }
        }

        private fun of(
            folder: File,
            content: JSONObject,
        ): Manifest {
            val input = content.getJSONObject("input")
            val measured = content.optJSONObject("measured")
            val (height, width) = input.getJSONArray("size").map { getInt(it) }
            return Manifest(
                folder = folder,
                variant = content.getString("variant"),
                precision = content.getString("precision"),
                inputName = input.getString("name"),
                inputHeight = height,
                inputWidth = width,
                outputs =
                    content.getJSONArray("outputs").objects {
                        OutputSpec(getString("name"), getJSONArray("shape").map { i -> getInt(i) })
                    },
                labels = content.getJSONArray("labels").map { getString(it) },
                files =
                    content.getJSONArray("files").objects {
                        ModelFile(
                            getString("format"),
                            getString("name"),
                            getString("sha256"),
                            getLong("size"),
                            optJSONArray("accelerators")?.map { getString(it) },
                            measured
                                ?.optJSONObject(getString("name"))
                                ?.optJSONObject("latency")
                                ?.getDouble("memory_mb"),
                        )
                    },
                golden =
                    content.getJSONArray("golden").objects {
                        GoldenFile(
                            getString("image"),
                            getString("image_sha256"),
                            getString("detections"),
                            getString("detections_sha256"),
                        )
                    },
                scoreThreshold = content.getDouble("score_threshold").toFloat(),
                translations =
                    content.optJSONObject("translations")?.let { all ->
                        all.keys().asSequence().associateWith { tag -> all.getJSONArray(tag).map { getString(it) } }
                    } ?: emptyMap(),
            )
        }

        private val schema by lazy {
            val file = checkNotNull(Manifest::class.java.getResourceAsStream(SCHEMA))
            Schema(JSONObject(file.bufferedReader().use { it.readText() }))
        }
    }
}

/** JSON's value, or null if [text] is none. Text without quotes, which Android lets pass, is none. */
internal fun parse(text: String): Any? =
    try {
        val tokens = JSONTokener(text)
        tokens.nextValue().takeIf { (it !is String || text.trim().startsWith('"')) && tokens.nextClean() == END }
    } catch (_: JSONException) {
        null
    } catch (_: StackOverflowError) {
        // lists nested without an end
        null
    }

private const val END = '\u0000'

/** SHA-256 of a file, or of a folder over its files' paths, lengths and contents, as `model/files.py`. */
internal fun sha256Of(path: File): String {
    val digest = MessageDigest.getInstance("SHA-256")
    val parts = path.walk().filter { it.isFile }.sortedBy { it.relativeTo(path).invariantSeparatorsPath }
    for (part in parts) {
        if (path.isDirectory) {
            digest.update(part.relativeTo(path).invariantSeparatorsPath.toByteArray() + 0)
            digest.update(ByteBuffer.allocate(Long.SIZE_BYTES).putLong(part.length()).array())
        }
        part.forEachBlock(1 shl 16) { block, size -> digest.update(block, 0, size) }
    }
    return digest.digest().joinToString("") { "%02x".format(it) }
}

internal fun <T> reading(
    path: File,
    read: () -> T,
): T =
    orSay(read) {
        "'$path' cannot be read (${it.message}), expected a file of the export; copy the folder or export again"
    }

/** Does it, and says in a sentence what failed. */
internal inline fun <T> orSay(
    action: () -> T,
    sentence: (IOException) -> String,
): T =
    try {
        action()
    } catch (error: IOException) {
        throw DetectorException(sentence(error), error)
    }

internal fun <T> JSONArray.map(part: JSONArray.(Int) -> T): List<T> = (0 until length()).map { part(it) }

internal fun <T> JSONArray.objects(part: JSONObject.() -> T): List<T> = map { getJSONObject(it).part() }
