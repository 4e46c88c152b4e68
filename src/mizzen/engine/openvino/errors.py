"""The library's exceptions, made one of the engine's."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from mizzen.engine.backend import BackendError

P = ParamSpec("P")
T = TypeVar("T")
# What openvino-genai raises: pybind11 makes these of C++'s exceptions.
LIBRARY_ERRORS = (
    RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError,
)  # fmt: skip


def translated(method: Callable[P, T]) -> Callable[P, T]:
    """The method, raising BackendError in place of LIBRARY_ERRORS."""

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(*args, **kwargs)
        except LIBRARY_ERRORS as error:
            raise BackendError(str(error)) from error

    return call


def first_line(error: Exception) -> str:
    """The library's reason without its build paths."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if "/src/" not in line and "/home/" not in line]
    return (said or lines or [type(error).__name__])[0]
