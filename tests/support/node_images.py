"""Images for real nodes, from programs of this machine: no registry, no builder.

Upstream's conformance specs name images of `registry.k8s.io`. `agnhost`, which most of them run, and
the other programs of upstream's own are built from its module; what stands in for the rest is said
beside it. All of them are one OCI layout, whose layers they share.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import platform
import runpy
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BUSYBOX = "docker.io/library/busybox:latest"
AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.63.0"
TOOLS = ("bash", "curl", "dig", "getent", "ip", "nc")  # of this machine, with their libraries
_E2E = "registry.k8s.io/e2e-test-images"
_PASSWD = b"""root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
user-defined-in-image:x:1000:1000::/home/user-defined-in-image:/bin/sh
"""
_GROUP = b"root:x:0:\nnogroup:x:65534:\ngroup-defined-in-image:x:50000:user-defined-in-image\n"
_WEBSITE = "usr/share/nginx/html"


@dataclass(frozen=True)
class Image:
    """Names of one image, the layers it has in order, and what it runs."""

    names: Sequence[str]
    layers: Sequence[str]
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])


def write_images(programs: Path, sources: Path, output: Path, names: Sequence[str] = ()) -> Path:
    """The images that these programs suffice for (of them those of these `names`), as one tar.
    `sources`: upstream's `test/images`.

    Errors: FileNotFoundError without a busybox that is linked statically.
    """
    build = runpy.run_path(str(ROOT / "image" / "build.py"))
    images = [each for each in _images() if not names or set(each.names) & set(names)]
    wanted = {name for image in images for name in image.layers}
    layers = {n: v for n, v in _layers(programs, sources, build).items() if n in wanted}
    layout = build["Layout"]()
    packed: dict[str, tuple[dict[str, Any], str]] = {}
    for name, layer in layers.items():
        data = layer.tar(0)
        descriptor = layout.put(
            gzip.compress(data, 1, mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip"
        )
        packed[name] = (descriptor, f"sha256:{hashlib.sha256(data).hexdigest()}")
    manifests: list[dict[str, Any]] = []
    for image in images:
        if not set(image.layers) <= set(packed):
            continue
        config = {
            "architecture": build["ARCHITECTURES"][platform.machine()],
            "os": "linux",
            "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin:/sbin"], **image.settings},
            "rootfs": {"type": "layers", "diff_ids": [packed[name][1] for name in image.layers]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": layout.put(
                json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"
            ),
            "layers": [packed[name][0] for name in image.layers],
        }
        for name in image.names:
            put = layout.put(json.dumps(manifest).encode(), manifest["mediaType"])
            annotations = {
                "io.containerd.image.name": name,
                "org.opencontainers.image.ref.name": name.rpartition(":")[2],
            }
            manifests.append({**put, "annotations": annotations})
    archive = build["Layer"]()
    archive.files["oci-layout"] = (b'{"imageLayoutVersion":"1.0.0"}', 0o644)
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json"}
    archive.files["index.json"] = (json.dumps({**index, "manifests": manifests}).encode(), 0o644)
    for digest, data in layout.blobs.items():
        archive.files[f"blobs/sha256/{digest}"] = (data, 0o644)
    output.write_bytes(archive.tar(0))
    return output


def _images() -> list[Image]:
    base, agnhost = ("base",), ("base", "agnhost")
    entry = {"Entrypoint": ["/agnhost"]}
    return [
        Image((BUSYBOX, f"{_E2E}/busybox:1.37.0-1", f"{_E2E}/busybox:1.36.1-1"), base,
              {"Cmd": ["sh"]}),
        Image((AGNHOST, f"{_E2E}/agnhost:2.55"), agnhost, {**entry, "Cmd": ["pause"]}),
        # busybox's web server, in whose folder the same page lies.
        Image((f"{_E2E}/nginx:1.15-4", f"{_E2E}/nginx:1.27-0"), ("base", "website"),
              {"Cmd": ["httpd", "-f", "-p", "80", "-h", f"/{_WEBSITE}"]}),
        Image((f"{_E2E}/kitten:1.8",), (*agnhost, "kitten"), {**entry, "Cmd": ["test-webserver"]}),
        Image((f"{_E2E}/nautilus:1.8",), (*agnhost, "nautilus"),
              {**entry, "Cmd": ["test-webserver"]}),
        Image((f"{_E2E}/nonroot:1.5",), agnhost, {**entry, "Cmd": ["pause"], "User": "1234"}),
        Image((f"{_E2E}/nonewprivs:1.4",), ("base", "nonewprivs"), {"Cmd": ["nnp"]}),
        Image((f"{_E2E}/resource-consumer:1.14",), ("base", "resource-consumer"),
              {"Entrypoint": ["/consumer"]}),
        Image((f"{_E2E}/regression-issue-74839:1.4",), ("base", "regression-issue-74839"),
              {"Entrypoint": ["/regression-issue-74839"]}),
        Image((f"{_E2E}/sample-apiserver:1.29.2",), ("base", "sample-apiserver"),
              {"Entrypoint": ["/sample-apiserver"]}),
        Image(("registry.k8s.io/etcd:3.6.8-0",), ("base", "etcd"), {"Cmd": ["etcd"]}),
        Image((f"{_E2E}/glibc-dns-testing:2.0.0", f"{_E2E}/ipc-utils:1.4"), base, {"Cmd": ["sh"]}),
        Image(("registry.k8s.io/coredns/coredns:mizzen",), ("coredns",),
              {"Entrypoint": ["/coredns"]}),
        Image(("registry.k8s.io/kube-proxy:mizzen",), ("base", "kube-proxy"),
              {"Entrypoint": ["/kube-proxy"]}),
    ]  # fmt: skip


def _layers(programs: Path, sources: Path, build: Mapping[str, Any]) -> dict[str, Any]:
    """By name those layers whose programs are there."""
    new = build["Layer"]
    layers = {"base": _base(new, build["shared_libraries"])}
    bin_ = programs / "bin"
    for name, files in {
        "agnhost": {"agnhost": bin_ / "agnhost", "agnhost-2": bin_ / "agnhost",
                    **{f"localhost.{end}": sources / "agnhost" / "porter" / f"localhost.{end}"
                       for end in ("crt", "key")}},
        "kitten": {n: sources / "kitten" / "html" / n for n in ("kitten.jpg", "data.json")},
        "nautilus": {n: sources / "nautilus" / "html" / n for n in ("nautilus.jpg", "data.json")},
        "nonewprivs": {"usr/local/bin/nnp": bin_ / "nonewprivs"},
        "resource-consumer": {"consumer": bin_ / "resource-consumer",
                              "consume-cpu": bin_ / "consume-cpu"},
        "regression-issue-74839": {"regression-issue-74839": bin_ / "regression-issue-74839"},
        "sample-apiserver": {"sample-apiserver": bin_ / "kube-sample-apiserver"},
        "etcd": {"usr/local/bin/etcd": bin_ / "etcd"},
        "coredns": {"coredns": bin_ / "coredns"},
        "kube-proxy": {"kube-proxy": bin_ / "kube-proxy"},
    }.items():  # fmt: skip
        if all(path.exists() for path in files.values()):
            layer = layers[name] = new()
            for at, path in files.items():
                layer.add(path, at)
    if "agnhost" in layers:
        layers["agnhost"].files["agnhost-2"] = (b"", 0o755)
        del layers["agnhost"].files["agnhost-2"]
        layers["agnhost"].links["agnhost-2"] = "agnhost"
        layers["agnhost"].folders["uploads"] = 0o777
    if "nonewprivs" in layers:
        layers["nonewprivs"].files["usr/local/bin/nnp"] = (bin_ / "nonewprivs", 0o6755)
    layers["website"] = new()
    page = b"<!DOCTYPE html>\n<html><body><h1>Welcome to nginx!</h1></body></html>\n"
    layers["website"].files[f"{_WEBSITE}/index.html"] = (page, 0o644)
    return layers


def _base(new: Any, shared_libraries: Any) -> Any:
    """busybox under all its names, and TOOLS as far as they are there."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise FileNotFoundError("there is no busybox: install busybox-static")
    layer = new(folders={"tmp": 0o1777, "root": 0o700, "home/user-defined-in-image": 0o755,
                         "var/run": 0o755, "var/tmp": 0o1777})  # fmt: skip
    layer.files["bin/busybox"] = (Path(busybox), 0o755)
    names = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout
    for name in names.split():
        if name != "busybox":
            layer.links[f"bin/{name}"] = "busybox"
    layer.files["etc/passwd"] = (_PASSWD, 0o644)
    layer.files["etc/group"] = (_GROUP, 0o644)
    layer.files["etc/nsswitch.conf"] = (b"hosts: files dns\n", 0o644)
    tools = [Path(found).resolve() for name in TOOLS if (found := shutil.which(name))]
    for name in TOOLS:
        if found := shutil.which(name):
            layer.links.pop(f"bin/{name}", None)
            layer.add(Path(found).resolve(), f"bin/{name}")
    if shutil.which("bash"):  # busybox's own passes on no variable whose name has a dash
        layer.links["bin/sh"] = "bash"
    for at, path in shared_libraries(tools, Path("/nowhere")).items():
        layer.add(path, at.lstrip("/"))
    return layer
