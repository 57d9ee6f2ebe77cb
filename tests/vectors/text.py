"""JSON that a person can read: one line per innermost list or object."""

import json
from typing import Any


def pretty(content: Any, indent: str = "") -> str:
    inner = indent + " "
    match content:
        case dict() if any(isinstance(value, dict | list) for value in content.values()):
            rows = [f"{inner}{json.dumps(k)}: {pretty(v, inner)}" for k, v in content.items()]
            return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
        case list() if any(isinstance(value, dict | list) for value in content):
            rows = [inner + pretty(value, inner) for value in content]
            return "[\n" + ",\n".join(rows) + f"\n{indent}]"
    return json.dumps(content, allow_nan=False)


def to_bytes(content: Any) -> bytes:
    return (pretty(content) + "\n").encode()
