"""A `.pte` as a file: a flatbuffer, and behind it the parts of its delegates and their constants.

Flatbuffers become JSON by ExecuTorch's own `flatc` and the schemas of its package: a process of its
own, which a damaged file cannot take down with it, and no import of the exporter.
"""

import json
import re
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deimv2.converters.pte import BACKENDS, PTE, delegate_of
from deimv2.converters.runner import broken
from deimv2.model.optional import require

# Extended header: 4 bytes of flatbuffer root offset, "ET12", "eh00", then the header's own length
# (u32), the program's length, the offset of the segments, and their length (u64 each).
HEADER = struct.Struct("<4x4s4sIQQQ")
PROGRAM = "exir/_serialize/program.fbs"
# Of delegates whose part is a graph behind a header: what the header starts with, and the schema.
GRAPHS = {
    BACKENDS["xnnpack"]: (b"XH00", "backends/xnnpack/serialization/schema.fbs"),
    BACKENDS["vulkan"]: (b"VH00", "backends/vulkan/serialization/schema.fbs"),
}
SECONDS = 60  # flatc takes less than one
NAMES = {  # of tensors' types
    "BYTE": "uint8", "CHAR": "int8", "SHORT": "int16", "INT": "int32", "LONG": "int64",
    "HALF": "float16", "FLOAT": "float32", "DOUBLE": "float64", "BOOL": "bool",
}  # fmt: skip


@dataclass(frozen=True)
class Program:
    """content: the flatbuffer; delegate: whom the file is for, by its name in `DELEGATES`."""

    path: Path
    data: bytes
    content: Any
    delegate: str

    @classmethod
    def read(cls, path: Path) -> "Program":
        """Raises InputError for a file that is cut off, and SubprocessError, OSError or ValueError
        for one that is not a program."""
        check_header(path)
        data = path.read_bytes()
        return cls(path, data, decode(PROGRAM, data), delegate_of(path))

    @property
    def plans(self) -> dict[str, Any]:
        """Its methods, by name."""
        return {plan["name"]: plan for plan in self.content["execution_plan"]}

    @property
    def forward(self) -> Any:
        plans = self.plans
        if "forward" not in plans:
            raise broken(self.path, f"it has no method 'forward', but {', '.join(plans)}")
        return plans["forward"]

    def steps(self) -> Iterator[tuple[str, Any]]:
        """Of `forward`, in order: "KernelCall" or "DelegateCall", and what is called."""
        for chain in self.forward["chains"]:
            for step in chain["instructions"]:
                yield step["instr_args_type"], step["instr_args"]

    def segment(self, index: int) -> bytes:
        *_, start, _ = HEADER.unpack_from(self.data)
        segment = self.content["segments"][index]
        return self.data[start + segment["offset"] :][: segment["size"]]

    def named(self) -> dict[str, bytes]:
        """The delegates' constants, by their names."""
        rows = self.content["named_data"]
        return {each["key"]: self.segment(each["segment_index"]) for each in rows}

    def part(self, delegate: Mapping[str, Any]) -> bytes:
        """A delegate's part, as it lies in the file."""
        return self.segment(delegate["processed"]["index"])

    def payload(self, delegate: Mapping[str, Any]) -> bytes:
        """The graph in a delegate's part, whose header says where it is and how long.

        Layout: `*_graph_serialize.py` beside the schema.
        """
        if delegate["id"] not in GRAPHS:
            known = " and ".join(GRAPHS)
            raise broken(self.path, f"it has a part for {delegate['id']}, only {known} can be read")
        part, (magic, _) = self.part(delegate), GRAPHS[delegate["id"]]
        if part[4:8] != magic:
            raise broken(self.path, f"a part for {delegate['id']} does not start as one")
        offset, size = (int.from_bytes(part[i : i + 4], "little") for i in (10, 14))
        return part[offset : offset + size]

    def graph(self, delegate: Mapping[str, Any]) -> Any:
        """The graph in a delegate's part, as JSON."""
        payload = self.payload(delegate)
        return decode(GRAPHS[delegate["id"]][1], payload)


def decode(schema: str, data: bytes) -> Any:
    """A flatbuffer as JSON. Raises SubprocessError, OSError or ValueError for one that is none."""
    package = Path(require("executorch.data.bin", PTE.extra).__path__[0])
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "buffer.bin"
        source.write_bytes(data)
        options = ["--json", "--strict-json", "--defaults-json", "-o", folder]
        files = [str(package.parents[1] / schema), "--", str(source)]
        command = [str(package / "flatc"), *options, *files]
        if subprocess.run(command, check=False, capture_output=True, timeout=SECONDS).returncode:
            raise ValueError("flatc cannot read it")
        text = source.with_suffix(".json").read_bytes()
    # flatc writes NaN and infinity as C does. They may end a line; strings end in a quote.
    return json.loads(
        re.sub(rb"(?m)inf(?=,?$)", b"Infinity", re.sub(rb"(?m)-?nan(?=,?$)", b"NaN", text))
    )


def check_header(path: Path) -> None:
    """Raises InputError unless the file starts as a `.pte` and is as long as its header says."""
    with path.open("rb") as file:
        start = file.read(HEADER.size)
    if start[4:6] != b"ET":
        raise broken(path, "it does not start as one")
    if len(start) < HEADER.size or start[8:12] != b"eh00":
        raise broken(path, "its header is cut off or of an old kind")
    _, _, length, program, offset, segments = HEADER.unpack(start)
    expected = offset + segments if length >= HEADER.size - 8 and offset else program
    if path.stat().st_size < expected:
        raise broken(path, f"{path.stat().st_size} of {expected} bytes")
