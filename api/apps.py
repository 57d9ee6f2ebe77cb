"""An export in the sample app, or in one of your own."""

from dataclasses import dataclass
from pathlib import Path

from deimv2.api.options import Pathish
from deimv2.converters import FORMATS
from deimv2.converters.app_assets import write_bundle
from deimv2.converters.manifest import Manifest
from deimv2.converters.pte import COREML, TITLES, VULKAN
from deimv2.model.errors import InputError

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Platform:
    """project: the sample app, below the repository; assets: where its artifacts go, below that;
    without: delegates that it lacks."""

    project: str
    assets: str
    without: tuple[str, ...] = ()


PLATFORMS = {
    "android": Platform("android", "app/src/main/assets/deimv2", (TITLES[COREML], TITLES[VULKAN])),
    "ios": Platform("ios", "App/Models/deimv2", (TITLES[VULKAN],)),
}


def formats_of(platform: str) -> list[str]:
    """Those that a platform's apps run."""
    return [name for name, each in FORMATS.items() if platform in each.platforms]


def put_into_app(
    platform: str, folder: Pathish, output: Pathish | None = None
) -> tuple[Path, Manifest]:
    """Copies the artifacts that a platform ("android", "ios") runs, their golden files and a
    manifest of those into the sample app, or to `output`. Gives the place and the manifest.

    Raises InputError for a folder without such artifacts, CheckError for a damaged file.
    """
    target = sample_assets(PLATFORMS[platform]) if output is None else Path(output)
    without = PLATFORMS[platform].without
    return target, write_bundle(Path(folder), target, formats_of(platform), without)


def sample_assets(platform: Platform) -> Path:
    """Raises InputError outside of a clone of the repository."""
    project = ROOT / platform.project
    if not project.is_dir():
        raise InputError(
            f"no sample app at '{project}', expected a clone of the repository; "
            "name a folder of your own app with --output"
        )
    return project / platform.assets
