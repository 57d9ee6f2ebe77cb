"""One call from a file and a photo to detections."""

from typing import Any, overload

from deimv2.api.detector import Detector, Photo, Photos, load, require_unloaded
from deimv2.api.options import Pathish
from deimv2.api.result import Result
from deimv2.converters.manifest import SCORE_THRESHOLD


@overload
def predict(
    model: Pathish | Detector, photo: Photo, threshold: float = SCORE_THRESHOLD, **options: Any
) -> Result: ...
@overload
def predict(
    model: Pathish | Detector,
    photo: Photos,
    threshold: float = SCORE_THRESHOLD,
    **options: Any,
) -> list[Result]: ...
def predict(
    model: Pathish | Detector,
    photo: Photo | Photos,
    threshold: float = SCORE_THRESHOLD,
    **options: Any,
) -> Result | list[Result]:
    """`deimv2.load(model, **options)(photo, threshold)`: for one call. To run a model more often,
    load it once.

    Raises InputError for options beside a detector, which is loaded already.
    """
    if not isinstance(model, Detector):
        model = load(model, **options)
    else:
        require_unloaded(list(options), "the photo and the threshold alone")
    return model(photo, threshold)
