"""`deimv2 app`: puts an export into the sample app, your own app, or the web page."""

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deimv2.cli import console
from deimv2.cli.arguments import natural
from deimv2.model.errors import InputError

if TYPE_CHECKING:
    from deimv2.converters.manifest import Manifest

EXAMPLE = "example: deimv2 app web artifacts/atto --serve"


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "app",
        help="put an export into the sample app or the web page",
        description="Copies the artifacts that a platform can run, with their golden files and a "
        "manifest, into the sample app or into --output. For web, the page that runs them is "
        "copied too, ready for any static host. Every file's hash is checked first.",
        epilog=EXAMPLE,
    )
    parser.add_argument("platform", choices=("android", "ios", "web"), help="what it is put into")
    parser.add_argument("folder", type=Path, metavar="DIR", help="export folder")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder of your own app instead of the sample; for web: where to write the page",
    )
    parser.add_argument(
        "--serve", action="store_true", help="web: serve the page to browsers on this machine"
    )
    parser.add_argument(
        "--port", type=natural, metavar="N",
        help="port for --serve; 0 picks a free one (default: 8000)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from deimv2.api.apps import put_into_app
    from deimv2.api.site import write_site

    _check(args)
    if args.serve:
        return _serve(args)
    if args.platform == "web":
        target, manifest = write_site(args.folder, args.output)
    else:
        target, manifest = put_into_app(args.platform, args.folder, args.output)
    console.log_unverified(manifest.unverified, args.folder)
    if args.json:
        console.print_json({"folder": str(target), "files": _names(manifest)})
    else:
        print(f"{target}: {_summary(manifest)}")
    return 0


def _check(args: argparse.Namespace) -> None:
    """Raises InputError for options that do not go together."""
    web = args.platform == "web"
    if args.serve and not web:
        raise InputError(f"--serve with {args.platform}, expected web; leave it out")
    if args.port is not None and not args.serve:
        raise InputError(f"--port {args.port} without --serve; add it, or leave --port out")
    if web and args.serve == (args.output is not None):
        found = "both --output and --serve" if args.serve else "neither --output nor --serve"
        raise InputError(f"web with {found}, expected one of them")


def _serve(args: argparse.Namespace) -> int:
    from deimv2.api.site import PORT, served

    with served(args.folder, PORT if args.port is None else args.port) as (server, manifest):
        console.log_unverified(manifest.unverified, args.folder)
        address = f"http://localhost:{server.server_address[1]}/"
        if args.json:
            console.print_json_line({"address": address, "files": _names(manifest)})
        else:
            print(f"{address}: {_summary(manifest)}; press Ctrl-C to stop", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
    return 0


def _names(manifest: "Manifest") -> list[str]:
    return [file.name for file in manifest.files]


def _summary(manifest: "Manifest") -> str:
    return f"{', '.join(_names(manifest))} and {len(manifest.golden)} golden photographs"
