"""Finds what the modules of a package contribute, so that adding a file is all it takes."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any


def collect(package: str, attribute: str) -> list[tuple[str, Any]]:
    """(module name, value) of every module below `package` that has `attribute`.

    Modules are loaded in name order, sub-packages included, so that the result never depends on
    the file system. Modules without the attribute are loaded too and left out: helpers.
    Errors: ImportError of the module that does not load; nothing is skipped silently.
    """
    found: list[tuple[str, Any]] = []
    root = import_module(package)
    modules = pkgutil.walk_packages(root.__path__, prefix=f"{package}.", onerror=_refuse)
    for name in sorted(info.name for info in modules):
        module = import_module(name)
        if hasattr(module, attribute):
            found.append((name, getattr(module, attribute)))
    return found


def _refuse(name: str) -> None:
    raise ImportError(f"package {name} does not load")
