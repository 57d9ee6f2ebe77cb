/** What is wrong, in one sentence that a person can act on; the page shows it as it is. */
export class Problem extends Error {
  override name = "Problem";
}

/** The sentence of anything that was thrown. */
export function sentenceOf(error: unknown): string {
  if (error instanceof Problem) return error.message;
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.replace(/\s+/g, " ").trim().slice(0, 400);
}
