"""FlowSchemas: which priority level a request belongs to, and to which flow in it.

Source: apiserver pkg/util/flowcontrol/rule.go, Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.fair_queues import LevelLimits
from mizzen.apiserver.core.user import SERVICE_ACCOUNT_PREFIX, User
from mizzen.base.objects import Obj
from mizzen.base.reading import entries, part, text

EXEMPT, CATCH_ALL = "exempt", "catch-all"
ANSWERS_MAX = 16_384  # remembered classifications
_BY_USER, _BY_NAMESPACE = "ByUser", "ByNamespace"


@dataclass(frozen=True, slots=True)
class Classification:
    """`level` "" is exempt. `headers` tell the client which schema and level it was."""

    schema: str
    level: str
    flow_of: Callable[[Access], str]
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Schema:
    classification: Classification
    rules: tuple[Obj, ...]

    def matches(self, access: Access) -> bool:
        return any(_rule_matches(rule, access) for rule in self.rules)


class FlowSchemas:
    """Classifies by all schemas, in order of precedence; each kind of request once."""

    def __init__(self, schemas: Iterable[Obj], levels: Iterable[Obj]) -> None:
        self.limits: dict[str, LevelLimits] = {}
        known: dict[str, Obj] = {}
        for level in levels:
            name = level["metadata"]["name"]
            known[name] = level
            if text(level, "spec", "type") == "Limited":
                self.limits[name] = _limits(part(level, "spec", "limited"))
        found = [
            schema
            for schema in schemas
            if text(schema, "spec", "priorityLevelConfiguration", "name") in known
        ]
        found.sort(key=lambda s: (part(s, "spec").get("matchingPrecedence"), s["metadata"]["name"]))
        self._schemas = [_schema(each, known) for each in found]
        self._answers: dict[tuple[object, ...], Classification | None] = {}

    def classify(self, access: Access) -> Classification | None:
        """None where no schema matches, which the mandatory ones rule out."""
        user, verb, group, resource, subresource, namespace, _, path, _ = access
        key = (user.name, user.groups, verb, group, resource, subresource, namespace, path)
        try:
            return self._answers[key]
        except KeyError:
            if len(self._answers) >= ANSWERS_MAX:
                self._answers.clear()
            found = next((s.classification for s in self._schemas if s.matches(access)), None)
            self._answers[key] = found
            return found


def _schema(schema: Obj, levels: dict[str, Obj]) -> _Schema:
    name = schema["metadata"]["name"]
    level = text(schema, "spec", "priorityLevelConfiguration", "name")
    is_exempt = text(levels[level], "spec", "type") == "Exempt"
    method = text(schema, "spec", "distinguisherMethod", "type")
    headers = (
        ("x-kubernetes-pf-flowschema-uid", text(schema, "metadata", "uid")),
        ("x-kubernetes-pf-prioritylevel-uid", text(levels[level], "metadata", "uid")),
    )
    classification = Classification(
        name, "" if is_exempt else level, _flow_of(name, method), headers
    )
    return _Schema(classification, tuple(entries(schema, "spec", "rules")))


def _flow_of(schema: str, method: str) -> Callable[[Access], str]:
    if method == _BY_USER:
        return lambda access: f"{schema}\0{access.user.name}"
    if method == _BY_NAMESPACE:
        return lambda access: f"{schema}\0{access.namespace}"
    return lambda access: schema


def _limits(limited: Obj) -> LevelLimits:
    response = part(limited, "limitResponse")
    queuing = part(response, "queuing") if text(response, "type") == "Queue" else {}
    shares = limited.get("nominalConcurrencyShares")
    return LevelLimits(
        30 if shares is None else int(shares),
        int(limited.get("lendablePercent") or 0),
        limited.get("borrowingLimitPercent"),
        int(queuing.get("queues") or 0),
        int(queuing.get("handSize") or 1),
        int(queuing.get("queueLengthLimit") or 0),
    )


def _rule_matches(rule: Obj, access: Access) -> bool:
    if not any(_is_subject(each, access.user) for each in entries(rule, "subjects")):
        return False
    if access.path:
        return any(
            _has(each, "verbs", access.verb) and _has_path(each, access.path)
            for each in entries(rule, "nonResourceRules")
        )
    return any(_resource_matches(each, access) for each in entries(rule, "resourceRules"))


def _resource_matches(rule: Obj, access: Access) -> bool:
    if not (
        _has(rule, "verbs", access.verb)
        and _has(rule, "resources", access.what)
        and _has(rule, "apiGroups", access.group)
    ):
        return False
    if not access.namespace:
        return bool(rule.get("clusterScope"))
    return _has(rule, "namespaces", access.namespace)


def _has(rule: Obj, name: str, value: str) -> bool:
    values = rule.get(name) or ()
    return value in values or list(values) == ["*"]


def _has_path(rule: Obj, path: str) -> bool:
    for url in rule.get("nonResourceURLs") or ():
        prefix = url.removesuffix("*")
        if url in ("*", path) or path.startswith(prefix if prefix.endswith("/") else prefix + "/"):
            return True
    return False


def _is_subject(subject: Obj, user: User) -> bool:
    kind = text(subject, "kind")
    if kind == "User":
        return text(subject, "user", "name") in ("*", user.name)
    if kind == "Group":
        name = text(subject, "group", "name")
        return name == "*" or name in user.groups
    if kind != "ServiceAccount":
        return False
    account = part(subject, "serviceAccount")
    prefix = f"{SERVICE_ACCOUNT_PREFIX}{text(account, 'namespace')}:"
    name = text(account, "name")
    return user.name.startswith(prefix) if name == "*" else user.name == f"{prefix}{name}"
