package org.deimv2.detector

/**
 * The one of [tags] whose translation is for a reader of [language], null if there is none. Case does not matter.
 * First the same tag, then the language without its last parts (de for de-CH), then any tag with the same first
 * part (pt-BR for pt), the first by alphabet.
 */
internal fun translationFor(
    tags: Collection<String>,
    language: String,
): String? {
    val known = tags.sorted()
    val parts = language.split('-')
    for (count in parts.size downTo 1) {
        val shorter = parts.take(count).joinToString("-")
        known.firstOrNull { it.equals(shorter, ignoreCase = true) }?.let { return it }
    }
    return known.firstOrNull { it.substringBefore('-').equals(parts.first(), ignoreCase = true) }
}
