"""`import deimv2`, as a notebook uses it."""

import inspect
import json
import re
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import deimv2
from deimv2.api.photographs import golden_photographs
from deimv2.converters import PRECISIONS
from deimv2.converters.checkpoint import CheckpointRunner
from deimv2.converters.photographs import PHOTOGRAPHS
from deimv2.model import build_model
from deimv2.model.coco import COCO_LABELS
from deimv2.model.images import load_photo
from deimv2.model.weights import save_weights
from deimv2.model.weights.places import DEMO
from deimv2.tests.cli.exports import copy_from, use
from deimv2.tests.nets import random_net
from deimv2.tests.told import Told
from deimv2.tests.training.scenes import few
from deimv2.training.run_log import read_log
from deimv2.verification.parity import compare

PHOTO = PHOTOGRAPHS[0]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "best.safetensors"
    save_weights(random_net("atto", size=160), path, COCO_LABELS)
    return path


@pytest.fixture(scope="module")
def detector(checkpoint: Path) -> deimv2.Detector:
    return deimv2.load(checkpoint)


def test_a_photo_is_a_path_an_image_or_an_array(detector: deimv2.Detector) -> None:
    image = load_photo(PHOTO)
    results = detector([PHOTO, str(PHOTO), image, np.asarray(image)], threshold=0.3)
    assert len(results) == 4 and len(results[0]) > 0
    for other in results[1:]:
        assert other.detections.to_json() == results[0].detections.to_json()
    assert [each.path for each in results] == [PHOTO, PHOTO, None, None]


def test_boxes_are_in_pixels_of_the_photo(detector: deimv2.Detector) -> None:
    result = detector(PHOTO, threshold=0.3)
    width, height = load_photo(PHOTO).size
    wanted = result.detections.boxes * np.array([width, height, width, height])
    np.testing.assert_allclose(result.boxes, wanted, rtol=1e-6)
    assert result.boxes.shape == (len(result), 4) and (result.scores > 0.3).all()
    assert result.names == [COCO_LABELS[label] for label in result.labels]
    assert result.plot().size == (width, height)
    assert np.asarray(result.plot()).tolist() != np.asarray(result.image).tolist()
    row = json.loads(json.dumps(result.to_json()))
    assert row["width"] == width and row["detections"][0]["name"] == result.names[0]


def test_fewer_detections_above_a_higher_threshold(detector: deimv2.Detector) -> None:
    every = detector(PHOTO, 0.0)
    middle = float(every.scores[len(every) // 2])
    assert len(detector(PHOTO, middle)) == (every.scores > middle).sum() < len(every)


def test_no_threshold_is_refused(detector: deimv2.Detector) -> None:
    with pytest.raises(deimv2.InputError, match="threshold is None, expected 0 to 1"):
        detector(PHOTO, threshold=None)  # type: ignore[call-overload]


def test_supervision_gets_the_same_or_is_named(
    detector: deimv2.Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Module:
        @staticmethod
        def Detections(**given: object) -> dict[str, object]:  # noqa: N802  as supervision has it
            return given

    result = detector(PHOTO, 0.3)
    monkeypatch.setitem(sys.modules, "supervision", Module)
    found = result.to_supervision()
    assert found["xyxy"].tolist() == result.boxes.tolist()
    assert found["data"]["class_name"].tolist() == result.names
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(deimv2.InputError, match="pip install supervision"):
        result.to_supervision()


@pytest.mark.parametrize(
    "photo",
    [7, None, np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.uint8), b"photo.jpg"],
)
def test_what_is_no_photo_is_refused(detector: deimv2.Detector, photo: object) -> None:
    with pytest.raises(
        deimv2.InputError, match="is not a photo, expected a path, a PIL image or an"
    ):
        detector(photo)  # type: ignore[call-overload]


def test_an_opened_image_is_read_as_its_file_is(detector: deimv2.Detector, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    load_photo(PHOTO).resize((60, 40)).save(turned := tmp_path / "turned.png", exif=exif)
    grey = np.arange(60 * 40, dtype=np.uint16).reshape(40, 60) * 27
    Image.fromarray(grey).save(deep := tmp_path / "16-bit.png")
    for path in (turned, deep):
        with Image.open(path) as image:
            of_image, of_file = detector(image, threshold=0.0), detector(path, threshold=0.0)
        assert of_image.image.tobytes() == of_file.image.tobytes()
        assert of_image.detections.to_json() == of_file.detections.to_json()


def test_an_image_without_pixels_or_its_end_is_refused(
    detector: deimv2.Detector, tmp_path: Path
) -> None:
    with pytest.raises(deimv2.InputError, match="4x0 in mode RGB has no pixels"):
        detector(np.zeros((0, 4, 3), np.uint8))
    load_photo(PHOTO).save(path := tmp_path / "cut.jpg")
    path.write_bytes(path.read_bytes()[:2000])
    with Image.open(path) as image, pytest.raises(deimv2.InputError, match="cannot be read"):
        detector(image)


def test_threads_take_turns_with_a_detector(exported: Path) -> None:
    detector = deimv2.load(exported / "deimv2-atto-fp32.tflite")
    expected = detector(PHOTO, threshold=0.0).to_json()
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: detector(PHOTO, threshold=0.0), range(24)))
    assert all(each.to_json() == expected for each in results)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2"])
def test_a_number_of_threads_that_is_none_is_refused(checkpoint: Path, threads: object) -> None:
    with pytest.raises(deimv2.InputError, match=r"threads is .*, expected a whole number from 1"):
        deimv2.load(checkpoint, threads=threads)  # type: ignore[arg-type]


def test_a_precision_that_checkpoints_do_not_have_is_refused(checkpoint: Path) -> None:
    with pytest.raises(deimv2.InputError, match="'fp16', expected fp32 or int8"):
        deimv2.load(checkpoint, precision="fp16")


def test_a_checkpoint_computes_where_it_is_told(
    checkpoint: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for device in ("gpu", "tpu"):
        with pytest.raises(deimv2.InputError, match=f"run on '{device}', .* a checkpoint for cuda"):
            deimv2.load(checkpoint, device=device)
    with pytest.raises(deimv2.InputError, match=r"does not run on 'cuda', expected a \.tflite"):
        deimv2.load(exported / "deimv2-atto-fp32.tflite", device="cuda")
    if not torch.cuda.is_available():
        with pytest.raises(deimv2.InputError, match="device 'cuda' cannot be used"):
            deimv2.load(checkpoint, device="cuda")
    monkeypatch.setattr(
        "deimv2.training.distributed.usable_device",
        lambda name: torch.device({"cuda:1": "meta"}[name]),  # has shapes, and no numbers
    )
    exact, rounding = (
        deimv2.load(DEMO / "atto-int8.safetensors", precision=precision, device="cuda:1").runner
        for precision in ("fp32", "int8")
    )
    assert isinstance(exact, CheckpointRunner) and isinstance(rounding, CheckpointRunner)
    out = exact.net(torch.zeros(1, 3, *exact.size, device="meta"))
    assert out.boxes.device.type == "meta"
    assert {value.device.type for value in rounding.net.state_dict().values()} == {"meta"}


def test_a_variants_name_loads_its_weights() -> None:
    detector = deimv2.load("atto", weights="demo")
    assert detector.classes[0] == "T-shirt"
    assert deimv2.load("atto", weights=DEMO / "atto.safetensors").classes == detector.classes
    assert deimv2.predict("atto", PHOTO, weights="demo", threshold=0.9).path == PHOTO
    assert deimv2.predict(detector, PHOTO, threshold=0.9).path == PHOTO
    with pytest.raises(deimv2.InputError, match="threads given with a detector that is loaded"):
        deimv2.predict(detector, PHOTO, threads=2)


def test_a_repository_of_the_hub_is_fetched(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        "deimv2.api.detector.fetch_repository", lambda name: asked.append(name) or checkpoint
    )
    for name in ("owner/fine-tune", "hf://owner/fine-tune", Path("hf://owner/fine-tune")):
        assert deimv2.load(name).classes == tuple(COCO_LABELS)
    assert asked == ["owner/fine-tune"] * 3
    with pytest.raises(deimv2.InputError, match=r"no file at 'folder/none.tflite'"):
        deimv2.load("folder/none.tflite")


def test_a_folder_of_the_hubs_is_a_checkpoint_and_an_export_is_not(
    checkpoint: Path, exported: Path, tmp_path: Path
) -> None:
    (tmp_path / "model.safetensors").write_bytes(checkpoint.read_bytes())
    assert deimv2.load(tmp_path).classes == tuple(COCO_LABELS)
    with pytest.raises(deimv2.InputError, match=r"is an export, .* its files: deimv2-atto-fp32"):
        deimv2.load(exported)


def test_an_artifact_detects_what_its_checkpoint_does(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, copy_from(exported), "onnx")
    told, photo = Told(), DEMO / "photographs" / "000074.jpg"
    made = deimv2.export(
        "atto", weights="demo", formats=["onnx"], output=str(tmp_path / "out"), progress=told
    )
    assert made.passed and [file.format for file in made.files] == ["onnx"]
    assert made.to_json()["passed"] and any("deimv2-atto-fp32.onnx: " in x for x in told.lines)
    file = tmp_path / "out" / made.files[0].name
    found, wanted = (
        detector(photo, 0.0)
        for detector in (deimv2.load(file), deimv2.load("atto", weights="demo"))
    )
    limits = PRECISIONS["fp32"].limits
    assert compare(wanted.detections, found.detections, (320, 320), limits).passed(limits)
    report = deimv2.verify(tmp_path / "out")
    assert report.passed and report.rows[0].artifact == file.name
    file.write_bytes(file.read_bytes()[:-1])
    assert not deimv2.verify(tmp_path / "out").passed
    with pytest.raises(deimv2.InputError, match="was damaged or replaced"):
        deimv2.load(file)


def test_photos_that_are_gone_are_told(tmp_path: Path) -> None:
    net, told = build_model("atto").eval(), Told()
    gone = tmp_path / "val"
    assert golden_photographs(net, None, gone, demo=False, progress=told) == PHOTOGRAPHS
    (line,) = told.lines
    assert f"'{gone}', which the weights were" in line and "is not there" in line
    assert golden_photographs(net, None, None, demo=False, progress=told) == PHOTOGRAPHS
    assert len(told.lines) == 1
    gone.mkdir()
    for _ in range(2):  # without a photo, and with one
        assert golden_photographs(net, None, gone, demo=False, progress=told) == PHOTOGRAPHS
        assert "has fewer than 3 photos" in told.lines[-1]
        shutil.copy(PHOTO, gone)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "huge"}, "unknown variant 'huge', expected one of atto"),
        ({"precision": "int4"}, "unknown precision 'int4', expected one of fp32"),
        ({"formats": ["coreml"]}, r"no format 'coreml', .* mlpackage \(Core ML\), .* name one"),
        ({"weights": "none.pth"}, "no checkpoint at 'none.pth'"),
        ({"formats": "coreml"}, "no format 'coreml', expected tflite"),
        ({"formats": []}, "no format, expected tflite"),
        ({"kept": 97}, "kept is 97, expected 0 to 1"),
    ],
)
def test_an_export_that_cannot_be_is_an_error_of_ours(
    options: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(deimv2.InputError, match=message):
        deimv2.export(**options, output=tmp_path / "out")  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_trained_evaluated_and_quantized(tmp_path: Path) -> None:
    train = few(tmp_path / "set" / "train", 8)
    val = few(tmp_path / "set" / "val", 2, start=8)
    made = deimv2.train(
        data=tmp_path / "set", weights="demo", output=tmp_path / "run", epochs=1, batch=2,
        image_size=(160, 160), workers=0, device="cpu",
    )  # fmt: skip
    assert made.finished and made.weights.is_file() and made.ap is not None
    detector = deimv2.load(made.weights)
    assert isinstance(detector.runner, CheckpointRunner)
    # As training measures: in another layout a near tie on two photos may fall otherwise.
    detector.runner.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    measured = deimv2.evaluate(detector, data=tmp_path / "set")
    assert measured.ap == pytest.approx(made.ap, abs=1e-6)
    found = deimv2.evaluate(made.weights, data=tmp_path / "set")
    for data in ({"data": val.images}, {"images": val.images, "annotations": val.annotations}):
        assert deimv2.evaluate(made.weights, **data).ap == found.ap
    to = tmp_path / "int8.safetensors"
    done = deimv2.quantize(weights=made.weights, calibration=train.images, output=to)
    assert done.weights == to and len(done.ranges) > 50
    assert deimv2.load(to, precision="int8").size == (160, 160)
    with pytest.raises(deimv2.InputError, match="no annotated photos in"):
        deimv2.evaluate(made.weights, data=tmp_path)


def test_a_function_gets_the_row_of_every_epoch(tmp_path: Path) -> None:
    few(tmp_path / "set" / "train", 4)
    few(tmp_path / "set" / "val", 2, start=8)
    rows: list[dict[str, object]] = []

    def stop(row: dict[str, object]) -> None:
        rows.append(row)
        if len(rows) == 2:
            raise KeyError("enough")

    given = {"batch": 1, "accumulate": 2, "image_size": 160, "workers": 0, "device": "cpu"}
    with pytest.raises(KeyError, match="enough"):
        deimv2.train(
            data=tmp_path / "set", weights="demo", output=tmp_path / "run", epochs=3,
            on_epoch=stop, **given,
        )  # fmt: skip
    logged = [row for row in read_log(tmp_path / "run") if "AP" in row]
    assert rows == logged and [(row["epoch"], row["step"]) for row in rows] == [(0, 2), (1, 4)]
    assert deimv2.train(resume=tmp_path / "run", workers=0).steps == 6  # from what was saved
    assert [row["step"] for row in read_log(tmp_path / "run") if "AP" in row] == [2, 4, 6]


@pytest.mark.long
def test_files_are_timed(checkpoint: Path, tmp_path: Path) -> None:
    made = deimv2.export(
        "atto",
        weights=checkpoint,
        formats=["onnx"],
        output=tmp_path,
        verify=False,
        photos=PHOTO.parent,
    )
    rows = deimv2.benchmark(tmp_path / made.files[0].name, rounds=2, baseline=False)
    assert [(row.name, row.threads, row.ratio) for row in rows] == [
        ("deimv2-atto-fp32.onnx", 1, None)
    ]


def test_help_says_what_can_be_chosen() -> None:
    for call in (deimv2.export, deimv2.train, deimv2.quantize, deimv2.evaluate):
        parameters = inspect.signature(call).parameters
        assert "progress" in parameters
        about = inspect.getdoc(call) or ""
        assert "Raises InputError" in about and "variant" in about
    with pytest.raises(TypeError, match="unexpected keyword argument 'formt'"):
        deimv2.export("atto", formt=["onnx"])  # type: ignore[call-arg]


def test_a_notebook_shows_the_photo_and_few_words(detector: deimv2.Detector) -> None:
    result = detector(PHOTO, threshold=0.3)
    with Image.open(BytesIO(result._repr_jpeg_())) as shown:
        assert shown.format == "JPEG" and max(shown.size) <= 1280
    assert re.fullmatch(rf"Result\('.*{PHOTO.name}', \d+ detections?: \d+ .*\)", repr(result))
    assert len(repr(result)) < 300


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: deimv2.load(None), deimv2.InputError, "None is no path"),  # type: ignore[arg-type]
        (lambda: deimv2.load("atto", weights="foo"), deimv2.InputError, "weights are 'foo', exp"),
        (
            lambda: deimv2.load("a.tflite", weights="b"),
            deimv2.InputError,
            "'a.tflite' is none; lea",
        ),
        (
            lambda: deimv2.load("hf://a/b", weights="b"),
            deimv2.InputError,
            "'hf://a/b' is none; lea",
        ),
        (lambda: deimv2.load("yolov8n"), deimv2.InputError, "of the Hub, .* variants atto, femto"),
        (lambda: deimv2.train(weights="random"), deimv2.InputError, "expected 'none' for a start"),
        (lambda: deimv2.export(labels=["cat"]), deimv2.InputError, r"\['cat'\] is no path"),
        (lambda: deimv2.train(data={"train": "a"}), deimv2.InputError, "data {.* is no path"),
        (lambda: deimv2.train(amp="x"), deimv2.InputError, "amp is 'x', expected True or False"),
        (lambda: deimv2.train(compile=2), deimv2.InputError, "compile is 2, expected True"),
        (lambda: deimv2.train(on_epoch=3), deimv2.InputError, "on_epoch is 3, expected a func"),
        (lambda: deimv2.export(progress=None), deimv2.InputError, "progress is None"),
        (lambda: deimv2.export(wieghts="demo"), TypeError, r"^export\(\) got an unex.* 'wieghts'"),
    ],
)
def test_arguments_of_another_kind_are_told(
    call: Callable[[], object], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        call()


def test_a_notebook_shows_bars(capsys: pytest.CaptureFixture[str]) -> None:
    shown = deimv2.NotebookProgress()
    with shown.status("reading"):
        assert list(shown.track([1, 2], "photos")) == [1, 2]
    captured = capsys.readouterr()
    assert "reading" in captured.out + captured.err and "photos" in captured.err
