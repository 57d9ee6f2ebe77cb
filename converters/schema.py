"""Is a manifest what `manifest.schema.json` says? One sentence for the first thing that is not.

Kotlin, Swift and TypeScript say the same sentences. So a sentence is made of the schema's rule and
the value found, nothing else, and "first" needs no help from a parser: a thing comes before its
parts, parts come sorted by name or index, and the rules of one thing in the order of RULES. What a
part's name breaks (`propertyNames`) is said of the thing.
`tests/vectors` holds broken manifests with their sentences for all four languages.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from deimv2.model.optional import require

SCHEMA = Path(__file__).with_name("manifest.schema.json")

KINDS = {
    "object": "an object",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
# What is said of a value (second argument) that breaks the rule of that name (first argument).
RULES: Mapping[str, Callable[[Any, Any], str]] = {
    "type": lambda kind, found: f"found {shown(found)}, expected {KINDS[kind]}",
    "const": lambda value, found: f"found {shown(found)}, expected {shown(value)}",
    "enum": lambda values, found: (
        f"found {shown(found)}, expected one of {', '.join(map(shown, values))}"
    ),
    "pattern": lambda regex, found: f"found {shown(found)}, expected text that matches {regex}",
    "minLength": lambda least, found: f"found {shown(found)}, expected text of {least} or more",
    "minimum": lambda least, found: f"found {shown(found)}, expected {least} or more",
    "maximum": lambda most, found: f"found {shown(found)}, expected {most} or less",
    "multipleOf": lambda step, found: f"found {shown(found)}, expected a multiple of {step}",
    "minItems": lambda least, found: f"found {shown(found)}, expected {least} or more",
    "maxItems": lambda most, found: f"found {shown(found)}, expected {most} or less",
    "required": lambda names, found: _missing(names, found),
    "dependentRequired": lambda needs, found: _missing(
        [name for other in sorted(found) for name in needs.get(other, ())], found
    ),
    "additionalProperties": lambda known, found: (
        f"{shown(min(set(found) - set(known)))} is unknown"
    ),
}


def problem_of(content: Any) -> str | None:
    """The first thing in which `content`, as `json.loads` gives it, is not of the schema."""
    jsonschema: Any = require("jsonschema", "cli")
    ranks = list(RULES)
    first = min(
        jsonschema.Draft202012Validator(_schema()).iter_errors(content),
        key=lambda error: (
            list(error.absolute_path),
            ranks.index(error.validator),
            shown(error.instance),  # one of several names, by `propertyNames`
        ),
        default=None,
    )
    if first is None:
        return None
    rule = first.validator_value
    if first.validator == "additionalProperties":
        rule = first.schema["properties"]
    place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in first.absolute_path)
    return f"at ${place}: {RULES[first.validator](rule, first.instance)}"


def shown(value: Any) -> str:
    """A JSON value in a sentence: containers by their kind, long text by its beginning."""
    match value:
        case dict():
            return "an object"
        case list():
            return f"a list of {len(value)}"
        case str():
            text = " ".join(value.split())
            return f"'{text[:40]}...'" if len(text) > 40 else f"'{text}'"
    return json.dumps(value)


def _missing(names: Iterable[str], found: Any) -> str:
    return f"{shown(next(name for name in names if name not in found))} is missing"


@cache
def _schema() -> Any:
    return json.loads(SCHEMA.read_bytes())
