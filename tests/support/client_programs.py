"""The clients that Mizzen is tested with: Python packages in an environment of their own, and
programs that Go builds from `tests/clients/peers`.

`python tests/support/client_programs.py` makes what is missing or out of date in `.clients`.
`MIZZEN_CLIENTS` names another folder of that form which is made already.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "tests" / "clients"
REQUIREMENTS = CLIENTS / "requirements.txt"
PEERS = CLIENTS / "peers"  # the module of the Go clients
GO_MODULES = {
    "client-go": "k8s.io/client-go",
    "controller-runtime": "sigs.k8s.io/controller-runtime",
    "helm": "helm.sh/helm/v4",
}  # client -> the module that it is
_GO_PACKAGES = ("./informers", "./operator", "helm.sh/helm/v4/cmd/helm")
_STAMPS = "built-from.json"


class NoClients(Exception):
    """The clients cannot be had; the message says what to do."""


def folder() -> Path:
    chosen = os.environ.get("MIZZEN_CLIENTS")
    return Path(chosen) if chosen else ROOT / ".clients"


def python() -> Path:
    """The interpreter of the Python clients. Errors: NoClients."""
    return _there(folder() / "venv" / "bin" / "python")


def python_version(package: str) -> str:
    """The version that is installed. Errors: NoClients."""
    library = next((folder() / "venv" / "lib").glob("python*/site-packages"), Path())
    for found in distributions(name=package, path=[str(library)]):
        return found.version
    raise NoClients(f"{package} is not in {library}: run `make test-clients`")


def go_program(name: str) -> Path:
    """A program of the Go clients. Errors: NoClients."""
    return _there(folder() / "bin" / name)


def go_version(client: str) -> str:
    """The version of a client of GO_MODULES."""
    versions = dict(re.findall(r"^\s*(\S+) (v\S+)", (PEERS / "go.mod").read_text(), re.MULTILINE))
    return versions[GO_MODULES[client]]


def build() -> None:
    """Installs what is missing or out of date. Errors: NoClients."""
    if os.environ.get("MIZZEN_CLIENTS"):
        return
    made = folder()
    made.mkdir(exist_ok=True)
    stamps = made / _STAMPS
    known: dict[str, str] = json.loads(stamps.read_text()) if stamps.exists() else {}
    wanted = _fingerprint(REQUIREMENTS)
    if known.get("venv") != wanted:
        _run([sys.executable, "-m", "venv", str(made / "venv")])
        pip = [str(made / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        _run([*pip, "-r", str(REQUIREMENTS)])
        known["venv"] = wanted
        stamps.write_text(json.dumps(known, indent=2))
    wanted = _fingerprint(*sorted(path for path in PEERS.rglob("*") if path.is_file()))
    if known.get("go") != wanted:
        go = shutil.which("go")
        if go is None:
            raise NoClients("Go's clients need `go` (1.26 or newer) on PATH: install it")
        (made / "bin").mkdir(exist_ok=True)
        _run([go, "build", "-o", f"{made / 'bin'}/", *_GO_PACKAGES], cwd=PEERS)
        known["go"] = wanted
        stamps.write_text(json.dumps(known, indent=2))


def _there(path: Path) -> Path:
    if not path.exists():
        raise NoClients(f"there is no {path}: run `make test-clients`")
    return path


def _fingerprint(*paths: Path) -> str:
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()


def _run(command: list[str], cwd: Path = ROOT) -> None:
    if subprocess.run(command, cwd=cwd, check=False).returncode != 0:
        raise NoClients(f"`{' '.join(command)}` failed; its output is above")


if __name__ == "__main__":
    try:
        build()
    except NoClients as error:
        sys.exit(str(error))
