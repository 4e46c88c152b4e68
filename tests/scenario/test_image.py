"""The image that `mizzen install` runs, made without a builder, unpacked and started."""

from __future__ import annotations

import hashlib
import io
import json
import runpy
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "image" / "build.py"


def build(output: Path, *words: str, script: Path = BUILD) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(script), "--name", "registry.example/mizzen:1"]
    command += ["--output", str(output), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=170)


@pytest.fixture(scope="module")
def tar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "mizzen.tar"
    done = build(path)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def layout(tar: Path) -> Path:
    folder = tar.parent
    with tarfile.open(tar) as packed:
        packed.extractall(folder / "layout", filter="data")
    return folder / "layout"


def blob(layout: Path, descriptor: dict[str, Any]) -> bytes:
    data = (layout / "blobs" / descriptor["digest"].replace(":", "/")).read_bytes()
    assert descriptor["digest"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert descriptor["size"] == len(data)
    return data


def names(layout: Path) -> list[str]:
    """Of all files of all layers."""
    manifest, _ = parts(layout)
    found: list[str] = []
    for layer in manifest["layers"]:
        with tarfile.open(fileobj=io.BytesIO(blob(layout, layer))) as tar:
            found += tar.getnames()
    return found


def parts(layout: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Manifest and configuration."""
    index = json.loads((layout / "index.json").read_bytes())
    manifest = json.loads(blob(layout, index["manifests"][0]))
    return manifest, json.loads(blob(layout, manifest["config"]))


@pytest.mark.slow
def test_it_starts_as_nobody_in_particular(layout: Path, tmp_path: Path) -> None:
    manifest, config = parts(layout)
    for layer in manifest["layers"]:
        path = layout / "blobs" / layer["digest"].replace(":", "/")
        with tarfile.open(path) as tar:
            tar.extractall(tmp_path, filter="tar")
    may_enter = ["unshare", "--map-root-user", f"--root={tmp_path}"]
    environment = dict(entry.split("=", 1) for entry in config["config"]["Env"])
    python = "/usr/local/bin/python3"

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*may_enter, *words], env=environment, capture_output=True, text=True, timeout=60
        )

    entered = run(python, "-c", "")
    if "unshare:" in entered.stderr:
        pytest.skip(f"this user may make no user namespace here: {entered.stderr.strip()}")
    assert entered.returncode == 0, entered.stderr
    shown = run(python, *config["config"]["Entrypoint"][1:], "version", "-o", "json")
    assert json.loads(shown.stdout)[0]["python"].startswith("3."), shown.stderr
    # What the Deployments say, up to the cluster that is not there.
    started = run(python, "-m", "mizzen.compose", "scheduler", "--kubeconfig", "/etc/mizzen/none")
    assert "/etc/mizzen/none" in started.stderr
    assert "Traceback" not in started.stderr
    assert not (tmp_path / "bin").exists()  # no shell


@pytest.mark.slow
def test_the_same_source_gives_the_same_bytes(tar: Path, tmp_path: Path) -> None:
    tree = tmp_path / "elsewhere"
    for name in ("pyproject.toml", "README.md", "LICENSE", "image", "src"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        tree.mkdir(exist_ok=True)
        copy(ROOT / name, tree / name)
    stale = tree / "build" / "lib" / "mizzen" / "removed_since.py"
    stale.parent.mkdir(parents=True)
    stale.touch()  # as an earlier build of a wheel leaves it
    again = tmp_path / "again.tar"
    done = build(again, script=tree / "image" / "build.py")
    assert done.returncode == 0, done.stderr
    assert again.read_bytes() == tar.read_bytes()


@pytest.mark.slow
def test_nothing_of_this_machine_comes_along_and_all_is_compiled(layout: Path) -> None:
    found = names(layout)
    assert not [name for name in found if name.startswith("opt/mizzen/bin/")]
    assert not [name for name in found if name.endswith(("/RECORD", "/direct_url.json"))]
    modules = {name for name in found if name.startswith("opt/mizzen/mizzen/")}
    assert "opt/mizzen/mizzen/compose/__main__.py" in modules
    compiled = f"opt/mizzen/mizzen/compose/__pycache__/__main__.{sys.implementation.cache_tag}.pyc"
    assert compiled in modules


@pytest.mark.slow
def test_both_ways_to_build_it_say_the_same_of_it(layout: Path) -> None:
    _, config = parts(layout)
    said = config["config"]
    lines = (ROOT / "image" / "Containerfile").read_text().replace("\\\n", " ").splitlines()
    last = {line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in lines if " " in line}
    assert dict(word.split("=", 1) for word in shlex.split(last["LABEL"])) == said["Labels"]
    assert last["USER"] == said["User"]
    assert json.loads(last["ENTRYPOINT"]) == said["Entrypoint"]
    assert set(last["ENV"].split()) <= set(said["Env"])


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("mizzen:1", "docker.io/library/mizzen:1"),
        ("team/mizzen:1", "docker.io/team/mizzen:1"),
        ("registry.example/mizzen:1", "registry.example/mizzen:1"),
        ("registry:5000/mizzen:1", "registry:5000/mizzen:1"),
        ("localhost/mizzen:1", "localhost/mizzen:1"),
    ],
)
def test_an_imported_image_has_the_name_that_a_kubelet_asks_for(name: str, full: str) -> None:
    assert runpy.run_path(str(BUILD))["full_name"](name) == full


@pytest.mark.slow
def test_it_builds_upon_an_image_that_is_there(layout: Path) -> None:
    build = runpy.run_path(str(BUILD))
    below, config = parts(layout)
    upon = build["Layout"]()
    base, layers = build["read_base"](layout, upon, config["architecture"])
    added = build["Layer"](files={"opt/mizzen/one.py": (b"1", 0o644)})
    build["assemble"](base, layers, [added], upon, 0)
    assert layers[:-1] == below["layers"]
    assert base["rootfs"]["diff_ids"][:-1] == config["rootfs"]["diff_ids"]
    assert {layer["digest"].removeprefix("sha256:") for layer in layers} <= set(upon.blobs)
    packed = upon.blobs[layers[-1]["digest"].removeprefix("sha256:")]
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert tar.getnames() == ["opt", "opt/mizzen", "opt/mizzen/one.py"]


def test_what_is_no_layout_is_named(tmp_path: Path) -> None:
    done = build(tmp_path / "x.tar", "--base", str(tmp_path))
    assert done.returncode == 1
    assert "is no OCI layout" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x.tar").exists()


def test_a_name_without_a_tag_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(BUILD), "--name", "Mizzen"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "is no name with a tag" in done.stderr
