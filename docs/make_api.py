"""Writes docs/api.md from the docstrings of what `import deimv2` offers.

python docs/make_api.py [--check]     --check: exit 1 where the page is not what it would be
"""

import inspect
import re
import sys
from pathlib import Path
from typing import Any

import deimv2
from deimv2.verification.verify import Report

PAGE = Path(__file__).with_name("api.md")
FUNCTIONS = (
    "load", "predict", "export", "verify", "report", "evaluate", "quantize", "train", "benchmark",
)  # fmt: skip
CLASSES = (
    deimv2.Detector, deimv2.Result, deimv2.Detection, deimv2.Tracker, deimv2.Export, Report,
    deimv2.Evaluation, deimv2.Quantized, deimv2.Training, deimv2.Progress, deimv2.NotebookProgress,
)  # fmt: skip
HEAD = """# Python

Made from docstrings by `python docs/make_api.py`. `import deimv2` takes a tenth of a second: what
is used is imported then. Errors are `deimv2.InputError` (what was given cannot be used: the message
says what it is, what was expected and what to do) and `deimv2.CheckError` (a check failed). Long
calls are silent; with `progress=deimv2.NotebookProgress()` they show bars in a notebook, and a
subclass of `deimv2.Progress` shows what you like.

```python
import deimv2

detector = deimv2.load("artifacts/atto/deimv2-atto-fp32.tflite")
result = detector("data/garments/val/000003.jpg", threshold=0.4)
print(result.boxes, result.scores, result.names)
for name, score, box, *_ in result:
    print(name, score, box)
result.save("drawn.jpg")
```
"""


def shown(value: Any) -> str:
    """A default, without the address of an object."""
    return re.sub(r"<[\w.]*\.(\w+) object at 0x[0-9a-f]+>", r"\1()", repr(value))


def annotation(kind: Any) -> str:
    """Short, and the same by every version of Python."""
    text = kind if isinstance(kind, str) else inspect.formatannotation(kind)
    text = re.sub(r"\b(?:\w+\.)+(?=[A-Za-z])", "", text)
    text = text.replace("ndarray[tuple[Any, ...], dtype[uint8]]", "ndarray")
    return text.replace("str | PathLike[str]", "path")


def arguments(call: Any) -> list[str]:
    parts = []
    for each in inspect.signature(call).parameters.values():
        if each.name == "self":
            continue
        if each.kind is each.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        stars = "**" if each.kind is each.VAR_KEYWORD else ""
        kind = "" if each.annotation is each.empty else f": {annotation(each.annotation)}"
        default = "" if each.default is each.empty else f" = {shown(each.default)}"
        parts.append(f"{stars}{each.name}{kind}{default}")
    return parts


def signature(name: str, call: Any) -> str:
    """In one line, or one for each argument."""
    parts = arguments(call)
    line = f"{name}({', '.join(parts)})"
    return line if len(line) < 100 else f"{name}(\n    " + ",\n    ".join(parts) + ",\n)"


def block(text: str | None) -> str:
    return f"```text\n{inspect.cleandoc(text or '')}\n```\n"


def members(kind: type) -> list[str]:
    lines = []
    for name, member in vars(kind).items():
        if name.startswith("_") and name != "__call__":
            continue
        if isinstance(member, property):
            lines.append(f"- `.{name}`: {' '.join((member.__doc__ or '').split())}".rstrip(": "))
        elif inspect.isfunction(member):
            call = f".{name}" if name != "__call__" else ""
            about = " ".join((member.__doc__ or "").split())
            given = inspect.signature(member).return_annotation
            gives = "" if given in (None, "None", inspect.Signature.empty) else annotation(given)
            arrow = gives and f" -> {gives}"
            lines.append(f"- `{call}({', '.join(arguments(member))}){arrow}`: {about}".rstrip(": "))
    return lines


def page() -> str:
    parts = [HEAD, "## Functions\n"]
    for name in FUNCTIONS:
        call = getattr(deimv2, name)
        parts += [
            f"### `deimv2.{name}`\n",
            block(f"{signature(name, call)}\n\n{inspect.getdoc(call)}"),
        ]
    parts.append("## Results and others\n")
    for kind in CLASSES:
        parts += [f"### `{kind.__name__}`\n", block(kind.__doc__), *members(kind), ""]
    return "\n".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    made = page()
    if "--check" in sys.argv[1:]:
        raise SystemExit(0 if PAGE.is_file() and PAGE.read_text("utf-8") == made else 1)
    PAGE.write_text(made, encoding="utf-8")
