"""What is said of a scalar of a custom object that is of another type than its schema's.

All validators are asked, as upstream's are: a number that is no integer may be too small as well.

Source: k8s.io/kube-openapi `pkg/validation/validate/{type,validator,schema_props}.go`; apiextensions
`pkg/apiserver/schema/pruning/algorithm.go`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from mizzen.base.objects import Obj
from mizzen.kinds.formats import FORMATS
from mizzen.kinds.limits import known_format, limits_of
from mizzen.kinds.report import Path, Report, Unknown, render
from mizzen.kinds.schema import Schema

INTEGER_FLOAT_MAX = float(2**53 - 1)  # swag's `IsFloat64AJSONInteger`: beyond it none is an integer
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]


def says_either(schema: Schema, word: str) -> bool:
    """True of the combination that says what `x-kubernetes-int-or-string` says already."""
    is_said = schema.type == "int-or-string" and word == "anyOf"
    return is_said and schema.combined[word] == _INT_OR_STRING


def is_whole(value: float) -> bool:
    """Whether a float passes for an integer: none does beyond what a float holds exactly."""
    return abs(value) <= INTEGER_FLOAT_MAX and value.is_integer()


def misfit_of(schema: Schema, wanted: str) -> Callable[[Any, Path, Report], Any]:
    """Reports a value that is not `wanted`; it is taken where it is a whole number after all."""
    kind, known = schema.type, known_format(schema)
    limits = limits_of(schema)
    is_one_of = limits_of(Schema("any", enum=schema.enum)) if schema.enum else None
    is_text = None
    if kind != "string" and schema.format in FORMATS:
        is_text = limits_of(Schema("string", format=schema.format))
    is_integer = kind in ("integer", "int-or-string")
    is_either = "anyOf" in schema.combined and says_either(schema, "anyOf")
    numbers = limits_of(replace(schema, type="number", enum=())) if kind == "integer" else None

    def misfit(value: Any, path: Path, report: Report) -> Any:
        if type(value) is float and kind == "integer" and is_whole(value):
            if limits is not None:
                limits(int(value), path, report)
            return int(value)
        if not (report.is_default and kind == "int-or-string"):  # there it has no types upstream
            form = schema.format if report.is_default else known
            report.wrong_type(path, value, wanted, form)
        if is_either:
            where = render(path)
            report.unplaced(path, '""', f'"{where}" must validate at least one schema (anyOf)')
            report.wrong_type(path, value, "integer")
        if type(value) is float and is_integer and not (report.is_default and not numbers):
            form = f"with format {schema.format}" if schema.format else "(default format)"
            what = f"Checked value must be of type integer {form} in {render(path)}"
            report.unplaced(path, '""', what)
        if numbers is not None and type(value) is float:
            numbers(value, path, report)
        if is_text is not None and report.is_default:
            is_text(value, path, report)
        if is_one_of is not None:
            is_one_of(value, path, report)
        _prune(value, path, report)
        return value

    return misfit


def misshapen(schema: Schema, value: Any, path: Path, report: Report, wanted: str) -> None:
    """Reports a value that is no object or array. In defaults upstream takes the format's word."""
    report.wrong_type(path, value, wanted, schema.format if report.is_default else "")
    if report.is_custom:
        if report.is_default and schema.format in FORMATS:
            check = limits_of(Schema("string", format=schema.format))
            assert check is not None, "the format is known"
            check(value, path, report)
        if isinstance(value, list):
            _prune(value, path, report)


def _prune(value: Any, path: Path, report: Report) -> None:
    """No field is known in the place of a scalar."""
    if isinstance(value, dict):
        for name in cast("Obj", value):
            report.unknown.append(Unknown(path, name, ()))
    elif isinstance(value, list):
        for index, each in enumerate(cast("list[Any]", value)):
            _prune(each, (path, index), report)
