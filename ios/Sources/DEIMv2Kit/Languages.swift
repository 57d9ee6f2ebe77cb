/// The one of `tags` whose translation is for a reader of `language`, nil if there is none. Case does
/// not matter. First the same tag, then the language without its last parts (de for de-CH), then any tag
/// with the same first part (pt-BR for pt), the first by alphabet.
func translation(for language: String, among tags: some Sequence<String>) -> String? {
  let known = tags.sorted()
  let parts = language.lowercased().split(separator: "-")
  for count in stride(from: parts.count, to: 0, by: -1) {
    let shorter = parts.prefix(count).joined(separator: "-")
    if let tag = known.first(where: { $0.lowercased() == shorter }) { return tag }
  }
  return known.first { $0.lowercased().split(separator: "-").first == parts.first }
}
