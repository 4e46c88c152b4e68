"""Checks of where the files of a pod's volume come from.

Source: pkg/apis/core/validation/validation.go `validateVolumeSource`, Kubernetes 1.36.
"""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds.causes import invalid, required
from mizzen.kinds.reading import entries, part


def check_source(volume: Obj, source: str, path: str) -> list[Cause]:
    """Causes to refuse a volume of the type `source`; `path` is the volume's."""
    found, at = part(volume, source), f"{path}.{source}"
    if source == "secret":
        return _check_named(found, "secretName", at)
    if source == "configMap":
        return _check_named(found, "name", at)
    if source == "persistentVolumeClaim":
        return [] if found.get("claimName") else [required(f"{at}.claimName")]
    if source == "projected":
        return _check_projected(entries(found, "sources"), f"{at}.sources")
    return []


def _check_projected(sources: list[Obj], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, source in enumerate(sources):
        for kind in ("secret", "configMap"):
            if kind in source:
                causes += _check_named(source[kind], "name", f"{path}[{index}].{kind}")
    return causes


def _check_named(source: Obj, field: str, path: str) -> list[Cause]:
    causes = [] if source.get(field) else [required(f"{path}.{field}")]
    for index, item in enumerate(entries(source, "items")):
        at, file = f"{path}.items[{index}]", item["path"]
        if not item["key"]:
            causes.append(required(f"{at}.key"))
        if not file:
            causes.append(required(f"{at}.path"))
        causes += [invalid(f"{at}.path", file, each) for each in _problems_of(file)]
    return causes


def _problems_of(file: str) -> list[str]:
    """What keeps a path from being one below the volume that is nobody else's.

    Source: ValidateLocalNonReservedPath.
    """
    problems = ["must be a relative path"] if file.startswith("/") else []
    if ".." in file.split("/"):
        problems.append("must not contain '..'")
    if file.startswith("..") and not file.startswith("../"):
        problems.append("must not start with '..'")
    return problems
