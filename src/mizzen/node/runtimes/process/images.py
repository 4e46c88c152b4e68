"""Finds the program of an `image` without a registry: an interpreter, a venv, a built-in.

`command` replaces the image's entry point and `args` its arguments, as upstream.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from mizzen.base import names
from mizzen.base.engine import engine_of_image, find_engines
from mizzen.base.objects import Obj
from mizzen.node.core.environment import Unresolved, expand

Found = Literal["", "file", "environment"]  # environment: a folder with bin/python


@dataclass(frozen=True, slots=True)
class Program:
    """A resolved image: the vector to exec and the folder that leads PATH."""

    argv: tuple[str, ...]
    bin_dir: str


def resolve(
    container: Obj,
    variables: Mapping[str, str],
    python: str,
    look: Callable[[str], Found],
) -> Program:
    """The program of a container. Errors: Unresolved with what exists in its message.

    `variables`: what command and args may refer to. `python`: the interpreter Mizzen runs on.
    `look` says what is at an absolute path.
    """
    image: str = container.get("image") or ""
    entry = _entry(image, python, look)
    where = f'of container "{container["name"]}"'
    command = [
        expand(word, variables, f"command[{index}] {where}")
        for index, word in enumerate(container.get("command") or ())
    ]
    args = [
        expand(word, variables, f"args[{index}] {where}")
        for index, word in enumerate(container.get("args") or ())
    ]
    argv = (command or list(entry)) + args
    bin_dir = entry[0].rpartition("/")[0]
    return Program(tuple(argv), bin_dir)


def _entry(image: str, python: str, look: Callable[[str], Found]) -> tuple[str, ...]:
    bare = image.rpartition(":")[0] if image.endswith(":latest") else image
    if bare == names.IMAGE_PYTHON:
        return (python,)
    engine = engine_of_image(bare)
    if engine is not None and engine.module:
        return (python, "-m", engine.module)
    engines = (profile.image for profile in find_engines().values() if profile.module)
    built_in = ", ".join(f'"{name}"' for name in (names.IMAGE_PYTHON, *engines))
    have = (
        f"this machine has no registry; use {built_in}, "
        "or the absolute path of an interpreter or a virtual environment"
    )
    if not image:
        raise Unresolved(f"the container names no image: {have}", "InvalidImageName")
    if "\0" in image:
        raise Unresolved(f"image {image!r} holds a NUL byte: {have}", "InvalidImageName")
    if not image.startswith("/"):
        raise Unresolved(
            f'image "{image}" is not here and is never pulled: {have}', "ErrImageNeverPull"
        )
    found = look(image)
    if found == "file":
        return (image,)
    if found == "environment":
        return (image.rstrip("/") + "/bin/python",)
    raise Unresolved(
        f'image "{image}" is neither a program nor a folder with bin/python: {have}',
        "InvalidImageName",
    )
