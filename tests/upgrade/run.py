"""One home under two minor versions: upgraded, emulating, rolled back, with nothing lost.

    python tests/upgrade/run.py [--keep FOLDER]

The older version is real: its source is taken out of git's history (OLDER_COMMIT) and runs with the
packages of this interpreter, as an instance of its own. Exits 1 where an object is lost or changed,
where the older version starts on what it cannot read, or where anything else is not as documented.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
OLDER, OLDER_COMMIT = "0.1", "9ec085de29cb"
BY_HAND = """
apiVersion: v1
kind: ConfigMap
metadata: {name: %(name)s, namespace: default}
data: {made-by: "%(name)s", text: "Zürich"}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %(name)s, namespace: default}
spec:
  replicas: 0
  selector: {matchLabels: {app: %(name)s}}
  template:
    metadata: {labels: {app: %(name)s}}
    spec: {containers: [{name: c, image: mizzen.dev/python}]}
"""


class Version:
    """The command line of one version, on the home that both share."""

    def __init__(self, name: str, python: Path, home: Path) -> None:
        self.name, self._python, self._home = name, python, home

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [str(self._python), "-m", "mizzen.cli", "--home", str(self._home), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)

    def ok(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, (self.name, words, done.stdout, done.stderr)
        return done.stdout

    def up(self, *words: str) -> None:
        self.ok("up", "--detach", *words)

    def kubectl(self, *words: str, given: str = "") -> str:
        config = str(self._home / "config" / "kubeconfig")
        done = subprocess.run(
            ["kubectl", "--kubeconfig", config, *words],
            input=given, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (self.name, words, done.stdout, done.stderr)
        return done.stdout

    def discovered(self, path: str) -> list[dict[str, Any]]:
        """The resources of a group's version, none where it is not served."""
        if path.removeprefix("/apis/") not in self.kubectl("api-versions").split():
            return []
        return json.loads(self.kubectl("get", "--raw", path))["resources"]

    def objects(self) -> dict[str, Any]:
        """What people made, as both versions serve it: without what every write changes."""
        kinds = "configmaps,deployments.apps,customresourcedefinitions"
        items = json.loads(self.kubectl("get", kinds, "-A", "-o", "json"))["items"]
        return {
            "/".join((i["kind"], i["metadata"].get("namespace", ""), i["metadata"]["name"])): [
                i["metadata"]["uid"],
                i.get("data"),
                i.get("spec"),
            ]
            for i in items
        }


def older_python(folder: Path) -> Path:
    """An interpreter that has the older version's source, and all else from this one."""
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", OLDER_COMMIT, "src"], capture_output=True, check=False
    )
    if archive.returncode:
        raise SystemExit(
            f"the older version is taken from git's history, which lacks commit {OLDER_COMMIT}: "
            "fetch all of it (git fetch --unshallow)"
        )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder / "older", filter="data")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    packages = next((folder / "venv" / "lib").glob("python*/site-packages"))
    here = [path for path in sys.path if path.endswith("site-packages")]
    lines = [str(folder / "older" / "src"), *here]
    (packages / "older.pth").write_text("".join(f"{line}\n" for line in lines))
    return folder / "venv" / "bin" / "python"


def step(text: str) -> None:
    print(text, flush=True)


def same(before: dict[str, Any], after: dict[str, Any], where: str) -> None:
    lost = [name for name, each in before.items() if after.get(name) != each]
    assert not lost, f"{where}: lost or changed: {lost}"


def run(folder: Path) -> None:
    home = folder / "home"
    older = Version(OLDER, older_python(folder), home)
    newer = Version("this", Path(sys.executable), home)
    versions = (older, newer)
    try:
        go_through(older, newer)
    finally:
        for each in versions:
            each.run("down")


def go_through(older: Version, newer: Version) -> None:
    assert older.ok("version").split()[2] == "0.1.0", "the older version runs its own code"
    step(f"mizzen {OLDER} makes objects")
    older.up()
    older.kubectl("apply", "--server-side", "-f", "-", given=BY_HAND % {"name": "older"})
    made = older.objects()
    older.ok("down")

    step(f"this version emulates {OLDER}: all is there, and what it adds is not served")
    newer.up("--emulate-version", OLDER)
    same(made, newer.objects(), "emulating")
    hides_what_is_new(newer)
    newer.kubectl("apply", "--server-side", "-f", "-", given=BY_HAND % {"name": "emulated"})
    made = newer.objects()
    assert json.loads(newer.ok("version", "-o", "json"))[0]["emulation"] == OLDER
    newer.ok("down")

    step(f"mizzen {OLDER} reads what was written meanwhile, with no step between")
    older.up()
    same(made, older.objects(), "back without rollback")
    older.kubectl("annotate", "configmap", "emulated", "seen-by=older")
    made = older.objects()
    older.ok("down")

    step("emulation ends: the store takes the newer format, which the older version refuses")
    newer.up("--emulate-version", "0.2")
    same(made, newer.objects(), "upgraded")
    newer.kubectl("apply", "--server-side", "-f", "-", given=BY_HAND % {"name": "newer"})
    made = newer.objects()
    newer.ok("down")
    refused = older.run("up", "--detach")
    assert refused.returncode and "format" in refused.stderr, refused
    older.run("down")

    step(f"rolled back: mizzen {OLDER} has every object")
    newer.ok("rollback")
    older.up()
    same(made, older.objects(), "rolled back")
    older.ok("down")

    step("and upgraded once more")
    newer.up()
    same(made, newer.objects(), "upgraded again")


def hides_what_is_new(newer: Version) -> None:
    """While it emulates, no kind is served that the older version does not have."""
    table = ROOT / "src" / "mizzen" / "kinds" / "introduced.json"
    new = json.loads(table.read_text())["0.2"]["resources"]
    for name in new:
        group, _, plural = name.rpartition("/")
        path = f"/apis/{group}" if "/" in group else f"/api/{group}"
        listed = [r["name"] for r in newer.discovered(path)]
        assert plural not in listed, f"{name} is served while emulating"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="work there and leave it")
    arguments = parser.parse_args()
    if arguments.keep is not None:
        arguments.keep.mkdir(parents=True)
        run(arguments.keep)
    else:
        with tempfile.TemporaryDirectory(prefix="mizzen-upgrade-") as name:
            run(Path(name))
    print("upgrade, emulation and rollback: nothing is lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
