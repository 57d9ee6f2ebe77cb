"""Freely licensed photographs for parity checks and golden files; see ATTRIBUTION.md."""

from pathlib import Path

PHOTOGRAPHS: tuple[Path, ...] = tuple(sorted(Path(__file__).parent.glob("*.jpg")))
