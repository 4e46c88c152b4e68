"""Options of requests that contradict each other or are misspelt, refused in upstream's words.

Source: apimachinery `meta/internalversion/validation`, `meta/v1/validation`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mizzen.base.errors import Cause, Invalid, invalid
from mizzen.base.label_syntax import size
from mizzen.kinds import causes
from mizzen.kinds.managed_fields import managers

MANAGER_LENGTH_MAX = 128

_MATCH = "resourceVersionMatch"
_LEVELS = ("", "Ignore", "Strict", "Warn")
_POLICIES = ("Foreground", "Background", "Orphan", "nil")


def refused(kind: str, found: Sequence[Cause]) -> Invalid:
    """For `kind` of options, such as ListOptions."""
    return invalid(kind, "meta.k8s.io", "", found)


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What a create, an update or a patch says beside its body.

    `kind`: CreateOptions, UpdateOptions, PatchOptions. `level`: Strict, Warn or Ignore.
    """

    kind: str
    is_dry: bool
    manager: str
    level: str

    @classmethod
    def of(cls, kind: str, params: Mapping[str, str], user_agent: str) -> WriteOptions:
        """Errors: Invalid with every option that is wrong."""
        if not params:
            return _unsaid(kind, user_agent)
        found = _check_write(params)
        if found:
            raise refused(kind, found)
        manager = params.get("fieldManager") or _program(user_agent)
        return cls(kind, "dryRun" in params, manager, params.get("fieldValidation") or "Warn")

    @classmethod
    def of_patch(
        cls, params: Mapping[str, str], user_agent: str, *, is_apply: bool
    ) -> WriteOptions:
        """Errors: Invalid, where apply lacks its manager or another patch is to be forced, too."""
        found: list[Cause] = []
        if is_apply and not params.get("fieldManager"):
            found.append(causes.required("fieldManager", "is required for apply patch"))
        if not is_apply and "force" in params:
            found.append(causes.forbidden("force", "may not be specified for non-apply patch"))
        if found:
            raise refused("PatchOptions", found + _check_write(params))
        return cls.of("PatchOptions", params, user_agent)


@lru_cache(maxsize=512)  # of most requests, whose programs are few
def _unsaid(kind: str, user_agent: str) -> WriteOptions:
    return WriteOptions(kind, False, _program(user_agent), "Warn")


def _check_write(params: Mapping[str, str]) -> list[Cause]:
    manager, level = params.get("fieldManager", ""), params.get("fieldValidation", "")
    found: list[Cause] = []
    if size(manager) > MANAGER_LENGTH_MAX:
        found.append(causes.too_long("fieldManager", MANAGER_LENGTH_MAX))
    for place, char in enumerate(manager):
        if not char.isprintable():
            at = size(manager[:place])
            text = f"invalid character U+{ord(char):04X} (at position {at})"
            found.append(causes.invalid("fieldManager", manager, text))
    found += check_dry([params["dryRun"]] if "dryRun" in params else [])
    if level not in _LEVELS:
        found.append(causes.unsupported("fieldValidation", level, _LEVELS))
    return found


def _program(user_agent: str) -> str:
    """The manager of those who name none: the program that sends the request."""
    program = user_agent.partition("/")[0]
    return "".join(filter(str.isprintable, program))[:MANAGER_LENGTH_MAX] or managers.UNKNOWN


def check_dry(said: Sequence[str]) -> list[Cause]:
    """What is misspelt would change something after all."""
    if all(each == "All" for each in said):
        return []
    return [causes.unsupported("dryRun", list(said), ("All",))]


def check_propagation(policy: str | None, orphans: bool | None) -> list[Cause]:
    path = "propagationPolicy"
    found: list[Cause] = []
    if policy is not None and orphans is not None:
        text = "orphanDependents and deletionPropagation cannot be both set"
        found.append(causes.invalid(path, policy, text))
    if policy is not None and policy not in _POLICIES[:3]:
        found.append(causes.unsupported(path, policy, _POLICIES))
    return found
