#!/usr/bin/env python3
"""Compares LiteRT's stand-in in `compile-stubs/` with the Kotlin that it stands in for.

`compare_stubs.py CHECKOUT`: a checkout of the repository that the stand-in names in its line
`// Sources:`, at the commit that stands there or a later one. Compiles both, and says what the
stand-in offers that the sources do not offer in the same form: a class, an enum's constant, a
function with the same parameters, types and optional ones, a constructor's parameter. Then compiles
the library against the sources. Exit code 1 where something differs. Needs what `check.py` needs.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from check import HERE, LIBRARY, fail, fetch_tools, kotlinc, path_of

STUBS = HERE / "compile-stubs"
CITED = "com.google.ai.edge.litert.kt"
SOURCES = re.compile(r"^// Sources: (\S+) at ([0-9a-f]{12}), (\S+),\n// (.+)$", re.M)
# In a file that asks for newer Android classes than API 23 has; nothing here uses it.
NPU = (
    "package com.google.ai.edge.litert\ninterface NpuAcceleratorProvider {\n"
    + "".join(
        f"  fun {name}\n"
        for name in (
            "isDeviceSupported(): Boolean",
            "isLibraryReady(): Boolean",
            "getLibraryDir(): String",
        )
    )
    + "}\n"
)


def sources(checkout: Path) -> list[Path]:
    """The files that the stand-in cites."""
    found = SOURCES.search((STUBS / CITED).read_text())
    assert found, f"{CITED} names no sources"
    repository, commit, folder, names = found.groups()
    files = [checkout / folder / name for name in names.split()]
    for file in files:
        if not file.is_file():
            fail(f"no file '{file}', expected a checkout of {repository} ({commit})")
    return files


def signatures(classes: Path, work: Path) -> set[str]:
    path = path_of(work / "signatures", *LIBRARY, "kotlin-reflect.jar", classes)
    command = ["java", "-cp", path, "SignaturesKt", str(classes)]
    return set(
        subprocess.run(command, check=True, text=True, capture_output=True).stdout.split("\n")
    )


def compare(checkout: Path, work: Path) -> list[str]:
    """What differs, a line each."""
    real, stub, others = work / "real", work / "stub", work / "others"
    npu = work / "Npu.kt"
    npu.write_text(NPU)
    rest = [path for path in STUBS.iterdir() if path.name != CITED]
    path = path_of(*LIBRARY)
    steps = (
        (
            "Signatures.kt",
            [HERE / "Signatures.kt"],
            work / "signatures",
            [path, "kotlin-reflect.jar"],
        ),
        (CITED, [STUBS / CITED], stub, [path]),
        ("the sources", [*sources(checkout), npu], real, [path]),
        ("the other stand-ins", rest, others, [path]),
    )
    for name, files, target, classes in steps:
        if problem := kotlinc(files, target, path_of(*classes), "-no-jdk", "-nowarn"):
            fail(f"{name} does not compile: {problem}")
    lacks = sorted(signatures(stub, work) - signatures(real, work))
    library = [HERE / "detector" / "src" / "main" / "kotlin"]
    problem = kotlinc(library, work / "library", path_of(real, others, *LIBRARY, "classes.jar"))
    return [f"not in the sources: {line}" for line in lacks] + ([problem] if problem else [])


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        fail("expected one argument, a checkout of LiteRT: compare_stubs.py CHECKOUT")
    fetch_tools()
    with tempfile.TemporaryDirectory() as work:
        differences = compare(Path(arguments[0]), Path(work))
    print("\n".join(differences) or "nothing differs")
    return 1 if differences else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
