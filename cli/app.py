"""`deimv2 app`: puts an export into the sample app, or into one of your own."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli import console
from model.errors import InputError

EXAMPLE = "example: deimv2 app android artifacts/atto"
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Platform:
    """project: the sample app, below the repository; assets: where its artifacts go, below that."""

    formats: tuple[str, ...]
    project: str
    assets: str


PLATFORMS = {
    "android": Platform(("tflite", "pte"), "android", "app/src/main/assets/deimv2"),
    "ios": Platform(("mlpackage", "pte"), "ios", "App/Models/deimv2"),
}


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "app",
        help="put an export into the sample app",
        description="Copies the artifacts that a platform runs, their golden files and a manifest "
        "of those into the sample app, or into --output. Every file's hash is checked first.",
        epilog=EXAMPLE,
    )
    parser.add_argument("platform", choices=PLATFORMS)
    parser.add_argument("folder", type=Path, metavar="DIR", help="what deimv2 export wrote")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="a folder of your own app, instead of the sample"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from converters.bundle import write_bundle

    platform = PLATFORMS[args.platform]
    target = args.output or sample_assets(platform)
    manifest = write_bundle(args.folder, target, platform.formats)
    names = [file.name for file in manifest.files]
    if args.json:
        console.print_json({"folder": str(target), "files": names})
    else:
        print(f"{target}: {', '.join(names)} and {len(manifest.golden)} golden photographs")
    return 0


def sample_assets(platform: Platform) -> Path:
    """Raises InputError outside of a clone of the repository."""
    project = ROOT / platform.project
    if not project.is_dir():
        raise InputError(
            f"no sample app at '{project}', expected a clone of the repository; "
            "name a folder of your own app with --output"
        )
    return project / platform.assets
