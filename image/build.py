"""Writes the image of Mizzen where no builder and no registry exist: pip and this Python are enough.

    python image/build.py --name registry.example/mizzen:0.2.0 --output mizzen.tar
    ctr -n k8s.io images import mizzen.tar        # or: podman load -i, skopeo copy oci-archive:...

The result is an OCI image layout (image-spec 1.1), as a tar. Below Mizzen lies either an image that
is there as a layout (`--base DIR`, for instance from `skopeo copy ... oci:DIR`), which must have
Python as `python3`, of this version; or, without it, this machine's own interpreter with the shared
libraries it needs and nothing else: no shell, no package manager.

The same files give the same bytes: entries are sorted and carry SOURCE_DATE_EPOCH, or 0.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
USER = "65532:65532"
APP = "opt/mizzen"
ENVIRONMENT = {
    "PYTHONPATH": f"/{APP}",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
}
# How it runs: `mizzen install` asks for that user, too (runAsNonRoot).
MIZZEN = {"User": USER, "Entrypoint": ["python3", "-m", "mizzen.cli"], "Cmd": []}
LABELS = "org.opencontainers.image"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_MEDIA = "application/vnd.oci.image"
# Of what pip installs: scripts that name this machine's interpreter, where and how it was installed.
_MACHINES_OWN = re.compile(r"bin/.*|[^/]*\.dist-info/(RECORD|REQUESTED|INSTALLER|direct_url\.json)")
# Of the standard library: what a server never imports, and would bring a window system along.
_LEFT_OUT = re.compile(
    r"(^|/)(__pycache__|site-packages|dist-packages|test|tests|idlelib|tkinter|turtledemo|ensurepip"
    r"|lib2to3|pydoc_data|config-[^/]*|(_tkinter|_test|_xx|xx|nis|ossaudiodev)[^/]*\.so)(/|$)"
)


@dataclass
class Layer:
    """One layer while it is filled: path in the image (no leading slash) -> file or bytes."""

    files: dict[str, tuple[Path | bytes, int]] = field(default_factory=dict[str, Any])
    links: dict[str, str] = field(default_factory=dict[str, str])
    folders: dict[str, int] = field(default_factory=dict[str, int])

    def add_tree(self, folder: Path, at: str) -> None:
        """All files of a folder. Links are followed."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.add(path, "/".join((at, *path.relative_to(folder).parts)))

    def add(self, path: Path, at: str) -> None:
        self.files[at] = (path, 0o755 if os.access(path, os.X_OK) else 0o644)

    def tar(self, epoch_s: int) -> bytes:
        """The layer as a tar, owned by root, its entries in order, parents first."""
        folders = dict(self.folders)
        for at in [*self.files, *self.links, *self.folders]:
            for parent in list(Path(at).parents)[:-1]:
                folders.setdefault(str(parent), 0o755)
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for at in sorted({*folders, *self.files, *self.links}):
                info = tarfile.TarInfo(at)
                info.mtime = epoch_s
                if at in folders:
                    info.type, info.mode = tarfile.DIRTYPE, folders[at]
                    tar.addfile(info)
                elif at in self.links:
                    info.type, info.linkname = tarfile.SYMTYPE, self.links[at]
                    tar.addfile(info)
                else:
                    source, info.mode = self.files[at]
                    data = source if isinstance(source, bytes) else source.read_bytes()
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
        return out.getvalue()


def interpreter_layer(target: Path, scratch: Path) -> Layer:
    """This Python under /usr/local, and what shared libraries it and the extensions below load."""
    layer = Layer(folders={"tmp": 0o1777})
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    binary = Path(sys.base_prefix, "bin", version).resolve()
    layer.add(binary, f"usr/local/bin/{version}")
    layer.links["usr/local/bin/python3"] = version
    standard = Path(sysconfig.get_path("stdlib"))
    kept = {str(path.relative_to(standard)): path for path in sorted(standard.rglob("*"))}
    kept = {at: path for at, path in kept.items() if path.is_file() and not _LEFT_OUT.search(at)}
    for at, path in kept.items():
        (scratch / at).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, scratch / at)
    add_bytecode(scratch, f"usr/local/lib/{version}")
    layer.add_tree(scratch, f"usr/local/lib/{version}")
    extensions = [path for at, path in kept.items() if at.endswith(".so")]
    loaded = [binary, *extensions, *target.rglob("*.so")]
    for at, path in sorted(shared_libraries(loaded, target).items()):
        inside = path.is_relative_to(Path(sys.base_prefix).resolve()) and sys.base_prefix != "/usr"
        layer.add(path, f"usr/local/lib/{path.name}" if inside else at.lstrip("/"))
    account = f"mizzen:x:{USER}:mizzen:/:/sbin/nologin\n"
    layer.files["etc/passwd"] = (f"root:x:0:0:root:/:/sbin/nologin\n{account}".encode(), 0o644)
    layer.files["etc/group"] = (b"root:x:0:\nmizzen:x:65532:\n", 0o644)
    layer.files["etc/nsswitch.conf"] = (b"hosts: files dns\n", 0o644)
    return layer


def add_bytecode(folder: Path, at: str) -> None:
    """Compiles all modules for where they will lie: a pod could keep none of it on a root that it
    may only read, and would compile for a second at each start. By hash, not by time: the same
    source gives the same bytes."""
    command = [sys.executable, "-I", "-m", "compileall", "-q", "--invalidation-mode"]
    command += ["unchecked-hash", "-s", str(folder), "-p", f"/{at}", str(folder)]
    subprocess.run(command, check=False)  # what does not compile is not imported either


def shared_libraries(paths: Iterable[Path], own: Path) -> dict[str, Path]:
    """Where the loader looks for each library -> the file that is there, the loader included.

    Those below `own` come with their wheels. glibc before 2.34 opens its name service by name,
    which no `ldd` shows: it comes along.
    Errors: SystemExit for a library that is missing here.
    """
    found: dict[str, Path] = {}
    for path in paths:
        done = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=False)
        for line in done.stdout.splitlines():
            if "not found" in line:
                raise SystemExit(f"{path} needs {line.strip()}: install it here first")
            match = re.search(r"(/\S+) \(0x", line)
            if match and not Path(match.group(1)).is_relative_to(own):
                found[match.group(1)] = Path(match.group(1)).resolve()
    for at in [at for at in found if Path(at).name == "libc.so.6"]:
        found |= {str(p): p.resolve() for p in Path(at).parent.glob("libnss_[df]*.so.2")}
    return found


def application(target: Path, wheels: Path | None) -> Layer:
    """Mizzen and what it needs, installed by pip into a folder of its own."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile"]
    command += ["--disable-pip-version-check", "--target", str(target)]
    with tempfile.TemporaryDirectory(prefix="mizzen-source-") as copy:
        if wheels is not None:
            command += ["--no-index", "--find-links", str(wheels), "mizzen"]
        else:
            command.append(str(copy_source(Path(copy))))
        if subprocess.run(command, check=False).returncode:
            raise SystemExit("pip could not install Mizzen; its words are above")
    add_bytecode(target, APP)
    layer = Layer()
    layer.add_tree(target, APP)
    for at in [*layer.files]:
        if _MACHINES_OWN.fullmatch(at.removeprefix(f"{APP}/")):
            del layer.files[at]
    return layer


def copy_source(folder: Path) -> Path:
    """What a wheel is made of, in a folder of its own: in `build/` of this tree setuptools keeps
    modules that have been removed since, and would pack them."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    left_out = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", folder / "src", ignore=left_out)
    return folder


def labels(target: Path) -> dict[str, str]:
    """The image-spec's labels, from the metadata of the Mizzen that is installed there."""
    (installed,) = distributions(name="mizzen", path=[str(target)])
    about = installed.metadata
    links = dict(line.split(", ", 1) for line in about.get_all("Project-URL") or ())
    found = {
        "title": "mizzen",
        "description": about["Summary"],
        "version": about["Version"],
        "licenses": about["License-Expression"],
        "url": links["Homepage"],
        "documentation": links["Documentation"],
    }
    return {f"{LABELS}.{name}": value for name, value in found.items()}


class Layout:
    """An OCI image layout while it is written."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def put(self, data: bytes, media_type: str) -> dict[str, Any]:
        """Stores a blob and returns its descriptor."""
        digest = hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def write(self, output: Path, name: str, manifest: dict[str, Any], epoch_s: int) -> None:
        """As one tar with one image of this name, whole or not at all."""
        manifest["annotations"] = {
            "io.containerd.image.name": full_name(name),
            "org.opencontainers.image.ref.name": name.rpartition(":")[2],
        }
        index = {
            "schemaVersion": 2,
            "mediaType": f"{_MEDIA}.index.v1+json",
            "manifests": [manifest],
        }
        layer = Layer()
        layer.files["oci-layout"] = (b'{"imageLayoutVersion":"1.0.0"}', 0o644)
        layer.files["index.json"] = (_json(index), 0o644)
        for digest, data in self.blobs.items():
            layer.files[f"blobs/sha256/{digest}"] = (data, 0o644)
        part = output.with_name(output.name + ".part")
        part.write_bytes(layer.tar(epoch_s))
        part.replace(output)


def full_name(name: str) -> str:
    """As a kubelet asks for it: what says no registry is one of Docker's, as ever."""
    first, slash, _ = name.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"


def read_base(folder: Path, layout: Layout, architecture: str) -> tuple[dict[str, Any], list[Any]]:
    """The configuration and layers of the image of a layout, copied. Errors: SystemExit."""
    try:
        index = json.loads((folder / "index.json").read_bytes())
        while True:
            fitting = [
                m
                for m in index["manifests"]
                if m.get("platform", {}).get("architecture", architecture) == architecture
            ]
            manifest = json.loads(_blob(folder, fitting[0]["digest"]))
            if "manifests" not in manifest:
                break
            index = manifest
        config = json.loads(_blob(folder, manifest["config"]["digest"]))
        layers = [
            {**layer, **layout.put(_blob(folder, layer["digest"]), layer["mediaType"])}
            for layer in manifest["layers"]
        ]
    except (OSError, ValueError, LookupError) as error:
        raise SystemExit(
            f"{folder} is no OCI layout with an image for {architecture}: {error}; "
            "make one with `skopeo copy docker://IMAGE oci:DIR`"
        ) from error
    return config, layers


def _blob(folder: Path, digest: str) -> bytes:
    data = (folder / "blobs" / digest.replace(":", "/")).read_bytes()
    if f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
        raise ValueError(f"blob {digest} has other bytes than its name says")
    return data


def assemble(
    config: dict[str, Any],
    layers: list[Any],
    new: Iterable[Layer],
    layout: Layout,
    epoch_s: int,
    settings: dict[str, Any] = MIZZEN,
) -> dict[str, Any]:
    """Adds layers and the settings of what they run; returns the manifest's descriptor."""
    inner: dict[str, Any] = config.setdefault("config", {})
    given = dict(entry.split("=", 1) for entry in inner.get("Env") or ())
    given.setdefault("PATH", "/usr/local/bin:/usr/bin:/bin")
    inner["Env"] = [f"{name}={value}" for name, value in {**given, **ENVIRONMENT}.items()]
    inner |= {**settings, "Labels": {**inner.get("Labels", {}), **settings.get("Labels", {})}}
    config["created"] = datetime.fromtimestamp(epoch_s, UTC).isoformat().replace("+00:00", "Z")
    rootfs = config.setdefault("rootfs", {"type": "layers", "diff_ids": []})
    config.pop("history", None)  # it would have to name every layer
    for layer in new:
        data = layer.tar(epoch_s)
        rootfs["diff_ids"].append(f"sha256:{hashlib.sha256(data).hexdigest()}")
        packed = gzip.compress(data, 6, mtime=0)
        layers.append(layout.put(packed, f"{_MEDIA}.layer.v1.tar+gzip"))
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_MEDIA}.manifest.v1+json",
        "config": layout.put(_json(config), f"{_MEDIA}.config.v1+json"),
        "layers": layers,
    }
    return layout.put(_json(manifest), f"{_MEDIA}.manifest.v1+json")


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--name", required=True, help="the image's name, as --image gives it")
    parser.add_argument("--output", type=Path, default=Path("mizzen.tar"), metavar="FILE")
    parser.add_argument("--base", type=Path, metavar="DIR", help="an OCI layout to build upon")
    parser.add_argument(
        "--wheels", type=Path, metavar="DIR", help="take these, ask no index (default: this tree)"
    )
    args = parser.parse_args()
    machine = platform.machine()
    if sys.platform != "linux" or machine not in ARCHITECTURES:
        parser.error(f"no image can be made on {sys.platform} {machine}: use image/Containerfile")
    if not re.fullmatch(r"[a-z0-9][\w.:/-]*:[\w][\w.-]*", args.name):
        parser.error(f"--name {args.name!r} is no name with a tag, like registry.example/mizzen:1")
    epoch_s = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    layout, architecture = Layout(), ARCHITECTURES[machine]
    if not args.output.parent.is_dir():
        parser.error(f"--output {args.output}: there is no folder {args.output.parent}")
    environment = ["LD_LIBRARY_PATH=/usr/local/lib"]
    config: dict[str, Any] = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Env": environment},
    }
    layers: list[Any] = []
    if args.base is not None:
        config, layers = read_base(args.base, layout, architecture)
    with tempfile.TemporaryDirectory(prefix="mizzen-image-") as scratch:
        target = Path(scratch) / APP
        print("installing Mizzen ...", file=sys.stderr)
        new = [application(target, args.wheels)]
        if args.base is None:
            print("adding this machine's Python ...", file=sys.stderr)
            new.insert(0, interpreter_layer(target, Path(scratch) / "standard"))
        settings = {**MIZZEN, "Labels": labels(target)}
        manifest = assemble(config, layers, new, layout, epoch_s, settings)
        layout.write(args.output, args.name, manifest, epoch_s)
    print(f"{args.name} {manifest['digest']} -> {args.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
