"""The checkers know all that the manifest's schema uses, and the vectors break each of it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from deimv2.converters import schema
from deimv2.converters.manifest import NAME
from deimv2.tests.vectors.__main__ import FOLDER

# What says where a value is, or nothing: no value breaks it.
STRUCTURE = {
    "$schema", "$ref", "$defs", "title", "description", "properties", "items", "prefixItems",
    "propertyNames",
}  # fmt: skip


def schemas(one: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema and those inside it."""
    yield one
    parts = [*one.get("prefixItems", ())]
    parts += [part for name in ("properties", "$defs") for part in one.get(name, {}).values()]
    parts += [one[name] for name in ("items", "propertyNames") if name in one]
    if isinstance(one.get("additionalProperties"), dict):
        parts.append(one["additionalProperties"])
    for part in parts:
        yield from schemas(part)


ALL = list(schemas(json.loads(schema.SCHEMA.read_bytes())))
RULES = {name for one in ALL for name in one} - STRUCTURE
KINDS = {one["type"] for one in ALL if "type" in one}


def test_every_rule_and_type_is_known() -> None:
    assert set(schema.RULES) == RULES
    assert set(schema.KINDS) == KINDS


def test_nothing_but_words_stands_beside_a_reference() -> None:
    """The other languages look at the reference alone."""
    assert all(set(one) <= {"$ref", "description"} for one in ALL if "$ref" in one)


def test_every_rule_and_type_is_broken_in_the_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which holds the other languages' checkers to them."""
    broken = set()

    def noted(name: str) -> Any:
        say = schema.RULES[name]

        def rule(argument: Any, found: Any) -> str:
            broken.add(f"type {argument}" if name == "type" else name)
            return say(argument, found)

        return rule

    monkeypatch.setattr(schema, "RULES", {name: noted(name) for name in schema.RULES})
    for case in json.loads((FOLDER / "manifests.json").read_bytes())["cases"]:
        if (case["sentence"] or "").find(" is no valid manifest at $") > 0:
            schema.problem_of(json.loads(case["changes"][NAME]))
    assert broken == RULES - {"type"} | {f"type {kind}" for kind in KINDS}
