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


def by_name(package: str, attribute: str) -> dict[str, Any]:
    """The result of `collect` by the `name` of each; names are unique."""
    found: dict[str, Any] = {}
    for module, value in collect(package, attribute):
        assert value.name not in found, f"{module}: a second {attribute} is called {value.name}"
        found[value.name] = value
    return found


def names(package: str) -> list[str]:
    """The names that `named` finds in the package itself, unloaded."""
    modules = pkgutil.iter_modules(import_module(package).__path__)
    return sorted(info.name for info in modules if not info.name.startswith("_"))


def named(package: str, name: str, attribute: str) -> Any:
    """`attribute` of the package's module `name`, else of what another distribution offers under
    that name as an entry point of the group `package`.

    Nothing else is loaded. Errors: KeyError where there is neither; ImportError of what does not
    load, AttributeError where it lacks the attribute.
    """
    if name in names(package):
        return getattr(import_module(f"{package}.{name}"), attribute)
    from importlib.metadata import entry_points  # slow to import, and seldom needed

    for entry in entry_points(group=package, name=name):
        return getattr(entry.load(), attribute)
    raise KeyError(name)


def _refuse(name: str) -> None:
    raise ImportError(f"package {name} does not load")
