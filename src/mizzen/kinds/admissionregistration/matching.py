"""Rules, selectors and conditions that webhooks and policies share: schemas and checks.

Source: pkg/apis/admissionregistration/validation/validation.go, Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Iterator

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.cel.tree import CompileError
from mizzen.kinds import causes as words
from mizzen.kinds.admission_expressions import SOURCES_BYTES_MAX, Scope
from mizzen.kinds.core.placement_rules import check_label_selector
from mizzen.kinds.names import qualified_name
from mizzen.kinds.reading import entries, part
from mizzen.kinds.treatment import acted

CONDITIONS_MAX = 64
OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")
_MATCHES = ("Equivalent", "Exact")
FAILURES = ("Fail", "Ignore")


_RULES = "apiGroups apiVersions resources operations scope"
SERVED_FIELDS = {
    "admissionregistration.v1.RuleWithOperations": acted("apiserver", _RULES),
    "admissionregistration.v1.NamedRuleWithOperations": acted(
        "apiserver", f"{_RULES} resourceNames"
    ),
    "admissionregistration.v1.MatchCondition": {
        **acted("apiserver", "expression"),
        **acted("kinds", "name"),
    },
    "admissionregistration.v1.MatchResources": acted(
        "apiserver",
        "resourceRules excludeResourceRules matchPolicy namespaceSelector objectSelector",
    ),
}


def default_rules(rules: list[Obj]) -> None:
    for rule in rules:
        rule.setdefault("scope", "*")


def default_matching(holder: Obj) -> None:
    """Completes what a webhook or policy matches, in place."""
    holder.setdefault("matchPolicy", "Equivalent")
    for name in ("namespaceSelector", "objectSelector"):
        holder.setdefault(name, {})
    for name in ("rules", "resourceRules", "excludeResourceRules"):
        default_rules(entries(holder, name))


def check_choice(holder: Obj, name: str, allowed: tuple[str, ...], path: str) -> Iterator[Cause]:
    if name in holder and holder[name] not in allowed:
        yield words.unsupported(f"{path}.{name}", holder[name], allowed)


def check_rule(rule: Obj, path: str) -> Iterator[Cause]:
    """Causes to refuse a rule."""
    operations: list[str] = rule.get("operations") or []
    if not operations:
        yield words.required(f"{path}.operations")
    if len(operations) > 1 and "*" in operations:
        what = "if '*' is present, must not specify other operations"
        yield words.invalid(f"{path}.operations", operations, what)
    for index, each in enumerate(operations):
        if each not in OPERATIONS:
            yield words.unsupported(f"{path}.operations[{index}]", each, OPERATIONS)
    for name, what in (("apiGroups", "API groups"), ("apiVersions", "API versions")):
        said: list[str] = rule.get(name) or []
        if not said:
            yield words.required(f"{path}.{name}")
        if len(said) > 1 and "*" in said:
            yield words.invalid(
                f"{path}.{name}", said, f"if '*' is present, must not specify other {what}"
            )
    for index, each in enumerate(rule.get("apiVersions") or ()):
        if not each:
            yield words.required(f"{path}.apiVersions[{index}]")
    yield from check_choice(rule, "scope", _SCOPES, path)
    yield from _check_resources(rule.get("resources") or [], f"{path}.resources")


def _check_resources(resources: list[str], path: str) -> Iterator[Cause]:
    if not resources:
        yield words.required(path)
    wholes: set[str] = set()  # x of x/*
    everywhere: set[str] = set()  # y of */y
    for index, each in enumerate(resources):
        at, (name, slash, sub) = f"{path}[{index}]", each.partition("/")
        if not each:
            yield words.required(at)
        if not slash:
            continue
        if name in wholes:
            what = f"if '{name}/*' is present, must not specify {each}"
            yield words.invalid(at, each, what)
        if sub in everywhere:
            yield words.invalid(at, each, f"if '*/{sub}' is present, must not specify {each}")
        if sub == "*":
            wholes.add(name)
        if name == "*":
            everywhere.add(sub)
    if len(resources) > 1 and "*/*" in resources:
        what = "if '*/*' is present, must not specify other resources"
        yield words.invalid(path, resources, what)
    if "*" in resources and any(each != "*" and "/" not in each for each in resources):
        what = "if '*' is present, must not specify other resources without subresources"
        yield words.invalid(path, resources, what)


def check_matching(holder: Obj, path: str) -> Iterator[Cause]:
    yield from check_choice(holder, "matchPolicy", _MATCHES, path)
    for name in ("namespaceSelector", "objectSelector"):
        yield from check_label_selector(part(holder, name), f"{path}.{name}")


def check_match_resources(resources: Obj, path: str) -> Iterator[Cause]:
    yield from check_matching(resources, path)
    for field in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(entries(resources, field)):
            at = f"{path}.{field}[{index}]"
            names: list[str] = rule.get("resourceNames") or []
            for place, name in enumerate(names):
                if name in names[:place]:
                    yield words.duplicate(f"{at}.resourceNames[{place}]", name)
            yield from check_rule(rule, at)


def check_conditions(conditions: list[Obj], path: str, scope: Scope) -> Iterator[Cause]:
    """Causes to refuse match conditions."""
    if len(conditions) > CONDITIONS_MAX:
        what = f"Too many: {len(conditions)}: must have at most {CONDITIONS_MAX} items"
        yield Cause(path, what, "FieldValueTooMany")
        return
    seen: set[str] = set()
    for index, each in enumerate(conditions):
        at, name = f"{path}[{index}]", str(each["name"])
        if not each["expression"].strip():
            yield words.required(f"{at}.expression")
        else:
            yield from check_expression(scope, each["expression"], f"{at}.expression", "bool")
        problem = qualified_name(name) if name else ""
        if not name:
            yield words.required(f"{at}.name")
        elif problem:
            yield words.invalid(f"{at}.name", name, problem)
        if name in seen:
            yield words.duplicate(f"{at}.name", name)
        seen.add(name)


def check_expression(
    scope: Scope, expression: str, path: str, *wanted: str, has_authorizer: bool | None = None
) -> Iterator[Cause]:
    try:
        scope.compile(expression, wanted, has_authorizer=has_authorizer)
    except CompileError as error:
        yield words.invalid(path, expression, error.told(expression))


def check_size(expressions: list[str], path: str) -> list[Cause]:
    """A cause where all expressions together take too long to be compiled."""
    size = sum(len(each.encode()) for each in expressions)
    if size <= SOURCES_BYTES_MAX:
        return []
    what = (
        f"Too long: its expressions have {size} bytes together, of at most {SOURCES_BYTES_MAX}; "
        "write fewer or shorter ones"
    )
    return [Cause(path, what, "FieldValueTooLong")]
