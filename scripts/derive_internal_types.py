"""Writes src/mizzen/kinds/internal_types.json: upstream's internal types, as Go's encoder writes them.

    python scripts/derive_internal_types.py [--modules ~/go/pkg/mod/k8s.io]

Not needed to build or run mizzen: the table is committed. Of each struct of `pkg/apis/core` and
`pkg/apis/batch`, and of those of the published types within them, the fields in their order: the
name that is written, the name in the published type, what it holds, and if it is left out when it
is empty. No text is taken.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

VERSION, CORE = "v0.36.3", "v1.36.3"
OUT = Path(__file__).parents[1] / "src" / "mizzen" / "kinds" / "internal_types.json"
ROOTS = ("core.PodTemplateSpec", "core.PersistentVolumeClaimSpec", "core.PersistentVolumeSource",
         "core.Taint", "batch.JobSpec")  # fmt: skip

_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_ALIAS = re.compile(r"^type (\w+) ([\w\[\]*.]+)\s*$", re.MULTILINE)
_FIELD = re.compile(r"^(\w+)\s+([\w\[\]*.{}]+)\s*(?:`(.*?)`)?\s*(?://.*)?$")
_EMBEDDED = re.compile(r"^([\w.]+)\s*(?:`(.*?)`)?\s*(?://.*)?$")
_PLAIN = {"string": "", "bool": False, "types.UID": "", "api.UID": ""}
_NUMBERS = ("int", "int32", "int64", "uint8")
# Fields of internal types that have another place in the published one.
_MOVED = {
    ("core.PodSecurityContext", name): f"^{name[0].lower()}{name[1:]}"
    for name in ("HostNetwork", "HostPID", "HostIPC", "ShareProcessNamespace", "HostUsers")
} | {("core.PodSecurityContext", "HostPID"): "^hostPID", ("core.PodSecurityContext", "HostIPC"): "^hostIPC"}  # fmt: skip
Struct = list[tuple[str, str, str]]  # Go name, type, tag; "" as the name of what is embedded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modules", type=Path, default=Path.home() / "go/pkg/mod/k8s.io")
    modules: Path = parser.parse_args().modules
    internal = modules / f"kubernetes@{CORE}" / "pkg" / "apis"
    api, machinery = modules / f"api@{VERSION}", modules / f"apimachinery@{VERSION}"
    sources = {
        "core": internal / "core" / "types.go",
        "batch": internal / "batch" / "types.go",
        "v1": api / "core" / "v1" / "types.go",
        "batchv1": api / "batch" / "v1" / "types.go",
        "metav1": machinery / "pkg" / "apis" / "meta" / "v1" / "types.go",
    }
    structs: dict[str, Struct] = {}
    aliases: dict[str, str] = {}
    for package, path in sources.items():
        text = path.read_text()
        for match in _STRUCT.finditer(text):
            structs[f"{package}.{match[1]}"] = _fields(match[2])
        for match in _ALIAS.finditer(text):
            aliases[f"{package}.{match[1]}"] = match[2]
    found: dict[str, list[list[object]]] = {}
    waiting = list(ROOTS)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _written(name, structs, aliases, waiting)
    lines = [f"{json.dumps(name)}: {json.dumps(found[name])}" for name in sorted(found)]
    OUT.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _fields(body: str) -> Struct:
    found: Struct = []
    for line in map(str.strip, body.splitlines()):
        if not line or line.startswith("//"):
            continue
        field, embedded = _FIELD.match(line), _EMBEDDED.match(line)
        if embedded is not None:
            found.append(("", embedded[1], embedded[2] or ""))
        elif field is not None:
            found.append((field[1], field[2], field[3] or ""))
    return found


def _written(
    name: str, structs: dict[str, Struct], aliases: dict[str, str], waiting: list[str]
) -> list[list[object]]:
    package = name.partition(".")[0]
    published = {
        go: tag for go, _, tag in _flat(f"{_published(package)}.{name.partition('.')[2]}", structs)
    }
    rows: list[list[object]] = []
    for go, kind, tag in _flat(name, structs):
        words = _json(tag)
        if words and package != "metav1":  # of the metadata, which are embedded
            shown, original = words[0], f"metadata/{words[0]}"
        elif words:
            shown, original = words[0], words[0]
        else:
            shown = go
            original = _MOVED.get((name, go)) or _json(published.get(go, "")) or [_lower(go)]
            original = original if isinstance(original, str) else original[0]
        holds = _holds(package, kind, structs, aliases, waiting)
        rows.append(
            [shown, original, holds, any(w in ("omitempty", "omitzero") for w in words[1:])]
        )
    return rows


def _published(package: str) -> str:
    return {"core": "v1", "batch": "batchv1"}.get(package, package)


def _flat(name: str, structs: dict[str, Struct]) -> Struct:
    """With the fields of what is embedded in its place."""
    found: Struct = []
    package = name.partition(".")[0]
    for go, kind, tag in structs.get(name, []):
        words = _json(tag)
        if go or (words and words[0]):
            found.append((go or kind.rpartition(".")[2], _qualified(package, kind), tag))
        else:
            found += _flat(kind if "." in kind else f"{package}.{kind}", structs)
    return found


def _qualified(package: str, kind: str) -> str:
    """The type as other packages call it."""
    prefix, name = re.fullmatch(r"(\*?(?:map\[[\w.]+\]|\[\])*\*?)(.*)", kind).groups()  # pyright: ignore
    is_own = "." not in name and name[:1].isupper()
    return f"{prefix}{package}.{name}" if is_own else kind


def _json(tag: str) -> list[str]:
    found = re.search(r'json:"([^"]*)"', tag)
    return found[1].split(",") if found else []


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]


def _holds(
    package: str, kind: str, structs: dict[str, Struct], aliases: dict[str, str], waiting: list[str]
) -> str:
    """`*T`, `[]T`, `{}T`, a struct's name, `string`, `number`, `bool`, `quantity`, `time`, `any`."""
    if kind.startswith("*"):
        return "*" + _holds(package, kind[1:], structs, aliases, waiting)
    if kind in ("[]byte", "[]uint8"):
        return "*string"
    if kind.startswith("[]"):
        return "[]" + _holds(package, kind[2:], structs, aliases, waiting)
    if kind.startswith("map["):
        return "{}" + _holds(package, kind.partition("]")[2], structs, aliases, waiting)
    if kind in _PLAIN:
        return "bool" if kind == "bool" else "string"
    if kind in _NUMBERS:
        return "number"
    special = {"resource.Quantity": "quantity", "metav1.Time": "time", "metav1.MicroTime": "time",
               "intstr.IntOrString": "either"}  # fmt: skip
    if kind in special:
        return special[kind]
    short = {"api": "core"}.get(kind.partition(".")[0], kind.partition(".")[0])
    name = f"{short}.{kind.rpartition('.')[2]}" if "." in kind else f"{package}.{kind}"
    if name in structs:
        waiting.append(name)
        return name
    if name in aliases:
        return _holds(name.partition(".")[0], aliases[name], structs, aliases, waiting)
    return "string" if "types.UID" in kind else "any"


if __name__ == "__main__":
    main()
