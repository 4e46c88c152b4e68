"""The programs Mizzen is tested against: etcd and Kubernetes' own, built once with Go.

`python tests/support/peers.py` builds what is missing or out of date into `.peers/bin`.
`MIZZEN_PEERS` names another folder of programs that are built already.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "tests" / "kubernetes" / "peers"
CLUSTER = {
    "etcd": "./etcd",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
}
# Not part of a cluster that tests start, where Mizzen's controllers or the test do its work.
ALONE = {"kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager"}
# Small programs of our own around upstream's packages: each folder is one.
OWN = {
    f"upstream-{path.parent.name}": f"./{path.parent.name}"
    for path in sorted(SOURCES.glob("*/main.go"))
    if path.parent.name not in CLUSTER
}
_GO_MOD = SOURCES / "go.mod"
_STAMPS = "built-from.json"
_VERSION = "k8s.io/component-base/version.gitVersion"


class NoPeers(Exception):
    """The peers cannot be had; the message says what to do."""


def programs(*names: str) -> Path:
    """The folder of these programs (those of a cluster). Errors: NoPeers when any is missing or
    out of date."""
    wanted = names or tuple(CLUSTER)
    chosen = os.environ.get("MIZZEN_PEERS")
    folder = Path(chosen) if chosen else ROOT / ".peers" / "bin"
    missing = [name for name in wanted if not (folder / name).exists()]
    if missing:
        raise NoPeers(f"{folder} has no {', '.join(missing)}: run `make test-kubernetes`")
    known = {} if chosen else _stamps(folder)
    old = [name for name in wanted if not chosen and known.get(name) != _fingerprint(name)]
    if old:
        raise NoPeers(
            f"{', '.join(old)} in {folder} are older than {SOURCES}: run `make test-kubernetes`"
        )
    return folder


def build() -> Path:
    """The folder of all programs, built where that is due (minutes the first time)."""
    try:
        return programs(*CLUSTER, *ALONE, *OWN)
    except NoPeers:
        if os.environ.get("MIZZEN_PEERS"):
            raise
    go = shutil.which("go")
    if go is None:
        raise NoPeers(
            "the tests against a real Kubernetes build it from source and need Go 1.26: "
            "there is no `go` on PATH; install it from https://go.dev/dl"
        )
    folder = ROOT / ".peers" / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    known = _stamps(folder)
    for name, package in {**CLUSTER, **ALONE, **OWN}.items():
        if (folder / name).exists() and known.get(name) == _fingerprint(name):
            continue
        print(f"building {name} ...", file=sys.stderr, flush=True)
        flags = ["-trimpath", "-ldflags", f"-s -w -X {_VERSION}={_kubernetes_version()}"]
        command = [go, "build", *flags, "-o", str(folder / name), package]
        if subprocess.run(command, cwd=SOURCES, check=False).returncode != 0:
            raise NoPeers(f"`{' '.join(command)}` in {SOURCES} failed; its output is above")
        known[name] = _fingerprint(name)
        (folder / _STAMPS).write_text(json.dumps(known, indent=2))
    return folder


def _kubernetes_version() -> str:
    lines = _GO_MOD.read_text().splitlines()
    found = [line.split()[1] for line in lines if line.strip().startswith("k8s.io/kubernetes v")]
    return found[0]


def _stamps(folder: Path) -> dict[str, str]:
    """By program: what it was built from."""
    try:
        return dict(json.loads((folder / _STAMPS).read_text()))
    except (FileNotFoundError, ValueError):
        return {}


def _fingerprint(name: str) -> str:
    """Of everything the program is made of: the versions, and the sources where they are ours."""
    own = SOURCES / {**CLUSTER, **ALONE, **OWN}[name]
    digest = hashlib.sha256("\n".join(_versions()).encode())
    for path in sorted(own.rglob("*.go")):
        digest.update(str(path.relative_to(SOURCES)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _versions() -> list[str]:
    """The modules of go.mod with their versions, whoever needs them and in whatever order."""
    text = _GO_MOD.read_text()
    lines = (line.split("//")[0].removeprefix("require ").strip() for line in text.splitlines())
    return sorted(line for line in lines if re.search(r" v\d", line))


if __name__ == "__main__":
    try:
        print(build())
    except NoPeers as error:
        sys.exit(str(error))
