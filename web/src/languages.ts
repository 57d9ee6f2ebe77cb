/**
 * The one of `tags` whose translation is for a reader of `language`, null if there is none. Case does not
 * matter. First the same tag, then the language without its last parts (de for de-CH), then any tag with the
 * same first part (pt-BR for pt), the first by alphabet.
 */
export function translationFor(tags: string[], language: string): string | null {
  const known = [...tags].sort();
  const parts = language.toLowerCase().split("-");
  for (let count = parts.length; count > 0; count--) {
    const shorter = parts.slice(0, count).join("-");
    const tag = known.find((each) => each.toLowerCase() === shorter);
    if (tag !== undefined) return tag;
  }
  return known.find((each) => each.toLowerCase().split("-")[0] === parts[0]) ?? null;
}
