"""Reading a body, or what a patch made, as an object of its resource; what is wrong is told in the
words of upstream's decoder, in its order: a value that does not fit, then fields that are unknown or
there twice.

Source: apiserver `endpoints/handlers/{create,update,patch}.go`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mizzen.apiserver.core import go_errors, json_bodies, stamping
from mizzen.apiserver.core.bodies import text
from mizzen.apiserver.core.patching import Patch
from mizzen.apiserver.core.refusals import unnamed
from mizzen.base.errors import ApiError, BadRequest, Invalid, Unclassified
from mizzen.base.objects import Obj
from mizzen.base.reading import part
from mizzen.base.resources import Resource
from mizzen.kinds import causes, doubled, strict
from mizzen.kinds.decoding import Decoded
from mizzen.kinds.report import Path, Unknown
from mizzen.kinds.restoring import restored
from mizzen.kinds.schema import Schema


@dataclass(frozen=True, slots=True)
class Strictness:
    """`level` is Strict, Warn or Ignore; `duplicates` what the raw body repeats, `of_yaml` what one
    of YAML does. `raw`: the body as it came, where it is JSON."""

    level: str = "Strict"
    duplicates: tuple[str, ...] = ()
    of_yaml: tuple[str, ...] = ()
    raw: bytes = b""


STRICT, IGNORE = Strictness(), Strictness("Ignore")


@dataclass(frozen=True, slots=True)
class Reading:
    """How one request's object is read: `misfit` is the problem with a value that does not fit its
    field, `refuse` the error for a problem. `warnings` are the request's.

    `again`: the object as it is read where something is wrong with it as it stands. `is_sorted`:
    unknown fields are told in order, and not as they come."""

    strictness: Strictness
    warnings: list[str]
    refuse: Callable[[str], ApiError]
    misfit: Callable[[Schema, Path, Any, str], str] = go_errors.misfit
    again: Callable[[Schema, Obj], Obj] | None = None
    is_sorted: bool = False

    def check(self, schema: Schema, decoded: Decoded, *, is_typed: bool) -> None:
        """`is_typed`: upstream decodes it into a type of Go. Errors: as `refuse` makes them."""
        if decoded.mistyped is not None and is_typed:
            path, value = decoded.mistyped
            written = json_bodies.literal(self.strictness.raw, path) if type(value) is float else ""
            raise self.refuse(self.misfit(schema, path, value, written))
        if decoded.embedded is not None:
            raise self.refuse(go_errors.unreadable_metadata(decoded.embedded))
        self.check_strictly(decoded.unknown, is_typed=is_typed)

    def check_strictly(self, unknown: Sequence[Unknown], *, is_typed: bool) -> None:
        """Refuses fields that are unknown or there twice, or warns of them, as is asked for."""
        duplicates, of_yaml = self.strictness.duplicates, self.strictness.of_yaml
        level = self.strictness.level
        if not (unknown or duplicates or of_yaml) or level == "Ignore":
            return
        if self.is_sorted:
            unknown = sorted(unknown, key=strict.unknown_field)
        found = strict.problems(unknown, duplicates)
        if unknown and duplicates:
            raw = self.strictness.raw
            found = doubled.in_order(found, raw) if is_typed else [*duplicates, *found]
            found = list(dict.fromkeys(found))
        if level == "Strict":
            raise self.refuse(strict.strict_problem(found, of_yaml))
        self.warnings.extend((*of_yaml, *found))


def of_body(resource: Resource, strictness: Strictness, warnings: list[str]) -> Reading:
    def refuse(problem: str) -> ApiError:
        return BadRequest(go_errors.undecodable(resource, problem))

    return Reading(strictness, warnings, refuse)


def of_patch(patch: Patch, patched: Any, strictness: Strictness, warnings: list[str]) -> Reading:
    def refuse(problem: str) -> ApiError:
        return wrong_patch(patch.shown(patched), problem)

    return Reading(strictness, warnings, refuse, patch.misfit, patch.again, not patch.says_type)


def of_configuration(resource: Resource, config: Obj, warnings: list[str]) -> Reading:
    """Of what an applied configuration was merged into."""

    def refuse(problem: str) -> ApiError:
        gvk = f"{resource.group}/{resource.version}, Kind={resource.kind}"
        metadata = part(config, "metadata")
        called = f"{text(metadata, 'namespace')}/{text(metadata, 'name')}"
        return Unclassified(
            f"failed to convert new object ({called}; {gvk}) to proper version: unable to convert "
            f"unstructured object to {gvk}: {problem}"
        )

    return Reading(IGNORE, warnings, refuse, go_errors.unrestorable, restored)


def wrong_patch(shown: str, problem: str) -> Invalid:
    """Upstream names no object here."""
    cause = causes.invalid("patch", shown, problem)
    return Invalid(f' "" is invalid: patch: {cause.message}', causes=[cause])


def typed(
    resource: Resource, patch: Patch, patched: Any, reading: Reading, name: str, *, is_typed: bool
) -> Obj:
    """What a patch of the object of this name made, as an object of its resource; `is_typed`: as
    for `Reading.check`. Errors: BadRequest, Invalid."""
    if not patch.says_type:
        return {**patched, "apiVersion": resource.api_version, "kind": resource.kind}
    problem = go_errors.unrecognised(resource, patched)
    if problem and (is_typed or type(patched) is list):
        raise reading.refuse(problem)
    if not is_typed:
        return stamping.check_envelope(patched, resource)
    if not patched.get("apiVersion"):
        # It is read as upstream's internal type, none of whose fields are called so.
        lost = sorted(patched.keys() - {"apiVersion", "kind"})
        reading.check_strictly([Unknown(None, each, ()) for each in lost], is_typed=True)
        raise unnamed(name)
    return {**patched, "kind": resource.kind}
