/**
 * Is a manifest what `converters/manifest.schema.json` says? One sentence for the first thing that is
 * not: the same as Python's (`converters/schema.py`), Kotlin's and Swift's. A thing comes before its
 * parts, parts come sorted by name or index, the rules of one thing in the order of `RULES`. What a part's
 * name breaks (`propertyNames`) is said of the thing.
 */

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type Schema = { [rule: string]: unknown };

const KINDS: Record<string, [string, (value: unknown) => boolean]> = {
  object: ["an object", isObject],
  array: ["a list", Array.isArray],
  string: ["text", (value) => typeof value === "string"],
  integer: ["a whole number", Number.isInteger],
  number: ["a number", (value) => typeof value === "number"],
  boolean: ["true or false", (value) => typeof value === "boolean"],
};

/** Of a rule's argument and a value: what is said of the value where it breaks the rule. */
const RULES: Record<string, (argument: never, value: unknown, schema: Schema) => string | null> = {
  type: (kind: string, value) => unless(KINDS[kind][1](value), value, KINDS[kind][0]),
  const: (wanted: unknown, value) => unless(value === wanted, value, shown(wanted)),
  enum: (all: unknown[], value) =>
    unless(all.includes(value), value, `one of ${all.map(shown).join(", ")}`),
  pattern: (regex: string, value) =>
    unless(
      typeof value !== "string" || new RegExp(regex).test(value),
      value,
      `text that matches ${regex}`,
    ),
  minLength: (least: number, value) =>
    unless(typeof value !== "string" || value.length >= least, value, `text of ${least} or more`),
  minimum: (least: number, value) =>
    unless(typeof value !== "number" || value >= least, value, `${least} or more`),
  maximum: (most: number, value) =>
    unless(typeof value !== "number" || value <= most, value, `${most} or less`),
  multipleOf: (step: number, value) =>
    unless(typeof value !== "number" || value % step === 0, value, `a multiple of ${step}`),
  minItems: (least: number, value) =>
    unless(!Array.isArray(value) || value.length >= least, value, `${least} or more`),
  maxItems: (most: number, value) =>
    unless(!Array.isArray(value) || value.length <= most, value, `${most} or less`),
  propertyNames: (rules: Schema, value) => {
    if (!isObject(value)) return null;
    const said = Object.keys(value)
      .sort()
      .map((name) => brokenIn(name, rules));
    return said.find((each) => each !== null) ?? null;
  },
  required: (names: string[], value) => (isObject(value) ? missing(names, value) : null),
  dependentRequired: (needs: Record<string, string[]>, value) => {
    if (!isObject(value)) return null;
    const needed = Object.keys(value).sort();
    return missing(
      needed.flatMap((name) => own(needs, name) ?? []),
      value,
    );
  },
  additionalProperties: (allowed: unknown, value, schema) => {
    if (allowed !== false || !isObject(value)) return null;
    const known = schema.properties as object;
    const [unknown] = Object.keys(value)
      .filter((name) => !Object.hasOwn(known, name))
      .sort();
    return unknown === undefined ? null : `${shown(unknown)} is unknown`;
  },
};

/** The first thing in which `content` is not of the schema, or null. */
export function problemOf(content: unknown, root: Schema): string | null {
  return problem("$", content, root, root);
}

function problem(place: string, value: unknown, schema: Schema, root: Schema): string | null {
  const rules = typeof schema.$ref === "string" ? definition(schema.$ref, root) : schema;
  const broken = brokenIn(value, rules);
  if (broken !== null) return `at ${place}: ${broken}`;
  for (const [step, part, of] of partsOf(value, rules)) {
    const said = of === undefined ? null : problem(place + step, part, of, root);
    if (said !== null) return said;
  }
  return null;
}

/** What is said of a value that breaks one of the rules, the first. */
function brokenIn(value: unknown, rules: Schema): string | null {
  for (const [name, broken] of Object.entries(RULES)) {
    const said = name in rules ? broken(rules[name] as never, value, rules) : null;
    if (said !== null) return said;
  }
  return null;
}

function partsOf(value: unknown, rules: Schema): [string, unknown, Schema | undefined][] {
  if (Array.isArray(value)) {
    const first = (rules.prefixItems ?? []) as Schema[];
    return value.map((part, i) => [`[${i}]`, part, first[i] ?? (rules.items as Schema)]);
  }
  if (!isObject(value)) return [];
  const named = (rules.properties ?? {}) as Record<string, Schema>;
  const other = isObject(rules.additionalProperties) ? rules.additionalProperties : undefined;
  return Object.keys(value)
    .sort()
    .map((name) => [`.${name}`, value[name], own(named, name) ?? other]);
}

function definition(reference: string, root: Schema): Schema {
  return (root.$defs as Record<string, Schema>)[reference.slice(reference.lastIndexOf("/") + 1)];
}

/** Not what every object has, such as `constructor`. */
function own<Value>(all: Record<string, Value>, name: string): Value | undefined {
  return Object.hasOwn(all, name) ? all[name] : undefined;
}

function missing(names: string[], value: object): string | null {
  const found = names.find((name) => !Object.hasOwn(value, name));
  return found === undefined ? null : `${shown(found)} is missing`;
}

function unless(holds: boolean, value: unknown, expected: string): string | null {
  return holds ? null : `found ${shown(value)}, expected ${expected}`;
}

function isObject(value: unknown): value is { [name: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A JSON value in a sentence: containers by their kind, long text by its beginning. */
function shown(value: unknown): string {
  if (isObject(value)) return "an object";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value !== "string") return String(value);
  const text = value.split(/\s+/).join(" ").trim();
  return text.length > 40 ? `'${text.slice(0, 40)}...'` : `'${text}'`;
}
