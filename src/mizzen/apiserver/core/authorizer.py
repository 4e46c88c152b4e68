"""The form of authorizers: what one allows is allowed, whatever the others say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.policy_rules import PolicyRule
from mizzen.apiserver.core.user import User


def no_reason(access: Access) -> str:
    """The reasons of an authorizer that gives none."""
    return ""


def no_rules(user: User, namespace: str) -> tuple[list[PolicyRule], list[str]]:
    """The rules of an authorizer that decides by none."""
    return [], []


@dataclass(frozen=True, slots=True)
class Authorizer:
    """`allows` is asked at every request. Reviews and refusals ask for the `reason` of what it
    answers, and for the `rules` of a user in a namespace with the errors met on the way."""

    allows: Callable[[Access], bool]
    reason: Callable[[Access], str] = no_reason
    rules: Callable[[User, str], tuple[list[PolicyRule], list[str]]] = no_rules


def together(authorizers: Sequence[Authorizer], privileged: str) -> Authorizer:
    """One authorizer for all of them. Members of the group `privileged` may do everything."""
    checks = tuple(each.allows for each in authorizers)

    def allows(access: Access) -> bool:
        if privileged in access.user.groups:
            return True
        for check in checks:  # noqa: SIM110 - a generator costs more than what it asks
            if check(access):
                return True
        return False

    def reason(access: Access) -> str:
        """That of the first that allows it; else of all, as each may have lacked something."""
        if privileged in access.user.groups:
            return ""
        for each in authorizers:
            if each.allows(access):
                return each.reason(access)
        return ", ".join(filter(None, (each.reason(access) for each in authorizers)))

    def rules(user: User, namespace: str) -> tuple[list[PolicyRule], list[str]]:
        found: list[PolicyRule] = []
        errors: list[str] = []
        for each in authorizers:
            more, problems = each.rules(user, namespace)
            found += more
            errors += problems
        return found, errors

    return Authorizer(allows, reason, rules)
