"""The programs Mizzen is tested against: etcd and Kubernetes' own, built once with Go.

`python tests/support/peers.py` builds what is missing or out of date into `.peers/bin`.
`MIZZEN_PEERS` names another folder of programs that are built already.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "tests" / "kubernetes" / "peers"
PROGRAMS = {
    "etcd": "./etcd",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "upstream-allocate": "./allocate",
}
_STAMP = "built-from"
_VERSION = "k8s.io/component-base/version.gitVersion"


class NoPeers(Exception):
    """The peers cannot be had; the message says what to do."""


def programs() -> Path:
    """The folder of the programs. Errors: NoPeers when they are missing or out of date."""
    chosen = os.environ.get("MIZZEN_PEERS")
    folder = Path(chosen) if chosen else ROOT / ".peers" / "bin"
    missing = [name for name in PROGRAMS if not (folder / name).exists()]
    if missing:
        raise NoPeers(f"{folder} has no {', '.join(missing)}: run `make test-kubernetes`")
    if not chosen and _stamp(folder) != _fingerprint():
        raise NoPeers(f"{folder} is older than {SOURCES}: run `make test-kubernetes`")
    return folder


def build() -> Path:
    """The folder of the programs, built where that is due (minutes the first time)."""
    try:
        return programs()
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
    version = _kubernetes_version()
    for name, package in PROGRAMS.items():
        print(f"building {name} ...", file=sys.stderr, flush=True)
        flags = ["-trimpath", "-ldflags", f"-s -w -X {_VERSION}={version}"]
        command = [go, "build", *flags, "-o", str(folder / name), package]
        if subprocess.run(command, cwd=SOURCES, check=False).returncode != 0:
            raise NoPeers(f"`{' '.join(command)}` in {SOURCES} failed; its output is above")
    (folder / _STAMP).write_text(_fingerprint())
    return folder


def _kubernetes_version() -> str:
    lines = (SOURCES / "go.mod").read_text().splitlines()
    found = [line.split()[1] for line in lines if line.strip().startswith("k8s.io/kubernetes v")]
    return found[0]


def _stamp(folder: Path) -> str:
    path = folder / _STAMP
    return path.read_text() if path.exists() else ""


def _fingerprint() -> str:
    """Of everything the programs are made of."""
    files = sorted(p for p in SOURCES.rglob("*") if p.suffix in (".go", ".mod", ".sum"))
    digest = hashlib.sha256()
    for path in files:
        digest.update(str(path.relative_to(SOURCES)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


if __name__ == "__main__":
    try:
        print(build())
    except NoPeers as error:
        sys.exit(str(error))
