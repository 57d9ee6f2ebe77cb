package org.deimv2.detector

import org.json.JSONArray
import org.json.JSONObject

/**
 * Is a manifest what `manifest.schema.json` says? One sentence for the first thing that is not.
 *
 * The same sentences as `converters/schema.py`: a thing comes before its parts, parts come sorted by
 * name or index, and the rules of one thing in the order in which they stand in [broken]. What a part's
 * name breaks (`propertyNames`) is said of the thing.
 */
internal class Schema(
    private val root: JSONObject,
) {
    fun problemOf(content: Any?): String? = problem("$", content, root)

    private fun problem(
        place: String,
        value: Any?,
        schema: JSONObject,
    ): String? {
        val rules = schema.optString("\$ref").takeIf { it.isNotEmpty() }?.let(::definition) ?: schema
        broken(value, rules)?.let { return "at $place: $it" }
        return when (value) {
            is JSONObject -> {
                value.keyList().sorted().firstNotNullOfOrNull { name ->
                    val part = rules.optJSONObject("properties")?.optJSONObject(name)
                    val other = rules.optJSONObject("additionalProperties")
                    (part ?: other)?.let { problem("$place.$name", value.get(name), it) }
                }
            }

            is JSONArray -> {
                (0 until value.length()).firstNotNullOfOrNull { i ->
                    val part = rules.optJSONArray("prefixItems")?.optJSONObject(i)
                    (part ?: rules.optJSONObject("items"))?.let { problem("$place[$i]", value.get(i), it) }
                }
            }

            else -> {
                null
            }
        }
    }

    private fun definition(reference: String) =
        root.getJSONObject("\$defs").getJSONObject(reference.substringAfterLast('/'))

    private fun broken(
        value: Any?,
        rules: JSONObject,
    ): String? {
        fun found(expected: String) = "found ${shown(value)}, expected $expected"

        fun number(name: String) = if (rules.has(name)) rules.getDouble(name) else null

        fun text(name: String) = shown(rules.get(name))

        rules.optString("type").takeIf { it.isNotEmpty() }?.let {
            if (!isKind(value, it)) return found(KINDS.getValue(it))
        }
        rules.opt("const")?.let { if (it != value) return found(shown(it)) }
        rules.optJSONArray("enum")?.items()?.let { values ->
            if (value !in values) return found("one of ${values.joinToString(transform = ::shown)}")
        }
        if (value is String) {
            rules.optString("pattern").takeIf { it.isNotEmpty() }?.let {
                if (!Regex(it).containsMatchIn(value)) return found("text that matches $it")
            }
            number("minLength")?.let { if (value.length < it) return found("text of ${text("minLength")} or more") }
        }
        if (value is Number) {
            val x = value.toDouble()
            number("minimum")?.let { if (x < it) return found("${text("minimum")} or more") }
            number("maximum")?.let { if (x > it) return found("${text("maximum")} or less") }
            number("multipleOf")?.let { if (x % it != 0.0) return found("a multiple of ${text("multipleOf")}") }
        }
        if (value is JSONArray) {
            number("minItems")?.let { if (value.length() < it) return found("${text("minItems")} or more") }
            number("maxItems")?.let { if (value.length() > it) return found("${text("maxItems")} or less") }
        }
        return if (value is JSONObject) brokenNames(value, rules) else null
    }

    /** The same of the rules for the names of an object's parts. */
    private fun brokenNames(
        value: JSONObject,
        rules: JSONObject,
    ): String? {
        val names = value.keyList().sorted()
        rules.optJSONObject("propertyNames")?.let { all ->
            for (name in names) broken(name, all)?.let { return it }
        }
        val needs = rules.optJSONObject("dependentRequired")
        val needed = names.flatMap { needs?.optJSONArray(it)?.items().orEmpty() }
        val required = rules.optJSONArray("required")?.items().orEmpty()
        (required + needed).firstOrNull { !value.has(it as String) }?.let { return "${shown(it)} is missing" }
        if (rules.opt("additionalProperties") == false) {
            val known = rules.getJSONObject("properties")
            names.firstOrNull { !known.has(it) }?.let { return "${shown(it)} is unknown" }
        }
        return null
    }

    private fun isKind(
        value: Any?,
        kind: String,
    ) = when (kind) {
        "object" -> value is JSONObject
        "array" -> value is JSONArray
        "string" -> value is String
        "integer" -> value is Number && value.toDouble() % 1 == 0.0
        "boolean" -> value is Boolean
        else -> value is Number
    }

    companion object {
        private val KINDS =
            mapOf(
                "object" to "an object",
                "array" to "a list",
                "string" to "text",
                "integer" to "a whole number",
                "number" to "a number",
                "boolean" to "true or false",
            )

        /** A JSON value in a sentence: containers by their kind, long text by its beginning. */
        fun shown(value: Any?): String =
            when (value) {
                is JSONObject -> {
                    "an object"
                }

                is JSONArray -> {
                    "a list of ${value.length()}"
                }

                is String -> {
                    value
                        .split(Regex("\\s+"))
                        .joinToString(" ")
                        .trim()
                        .let { "'${it.shortened()}'" }
                }

                else -> {
                    value.toString()
                }
            }

        private fun String.shortened() = if (length > 40) take(40) + "..." else this

        private fun JSONObject.keyList() = keys().asSequence().toList()

        private fun JSONArray.items() = (0 until length()).map(::get)
    }
}
