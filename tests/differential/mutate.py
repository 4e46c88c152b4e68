"""Bodies that differ from a good one in a place or two: by its kind's schema, or against it."""

from __future__ import annotations

import copy
from typing import Any

from differential.draws import Draws
from mizzen.kinds.schema import Schema

DEPTH_MAX = 9
# Words that are right somewhere, by the field's name.
WORDS: dict[str, tuple[str, ...]] = {
    "protocol": ("TCP", "UDP", "SCTP"),
    "imagePullPolicy": ("Always", "Never", "IfNotPresent"),
    "restartPolicy": ("Always", "OnFailure", "Never"),
    "dnsPolicy": ("ClusterFirst", "Default", "None", "ClusterFirstWithHostNet"),
    "operator": ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Equal"),
    "effect": ("NoSchedule", "PreferNoSchedule", "NoExecute"),
    "type": (
        "ClusterIP",
        "NodePort",
        "LoadBalancer",
        "ExternalName",
        "Recreate",
        "RollingUpdate",
        "OnDelete",
        "RuntimeDefault",
        "Unconfined",
        "Localhost",
        "Utilization",
        "Opaque",
    ),
    "whenUnsatisfiable": ("DoNotSchedule", "ScheduleAnyway"),
    "topologyKey": ("kubernetes.io/hostname", "zone"),
    "concurrencyPolicy": ("Allow", "Forbid", "Replace"),
    "completionMode": ("Indexed", "NonIndexed"),
    "podReplacementPolicy": ("Failed", "TerminatingOrFailed"),
    "podManagementPolicy": ("OrderedReady", "Parallel"),
    "externalTrafficPolicy": ("Cluster", "Local"),
    "internalTrafficPolicy": ("Cluster", "Local"),
    "sessionAffinity": ("None", "ClientIP"),
    "ipFamilyPolicy": ("SingleStack", "PreferDualStack"),
    "clusterIP": ("None", "10.0.0.300", "10.0.77.7"),
    "schedule": ("* * * * *", "@daily", "61 * * * *", "TZ=UTC * * * * *"),
    "timeZone": ("Europe/Berlin", "Mars/North", "Local"),
    "pathType": ("Exact", "Prefix", "ImplementationSpecific"),
    "path": ("/", "/x", "a/../b", "/a//b"),
    "mountPath": ("/x", "/", "a:b", ""),
    "subPath": ("a", "../b", "/c"),
    "kind": ("Pod", "User", "Group", "Role", "ConfigMap"),
    "name": ("a", "b", "main"),
    "phase": ("Pending", "Running", "Succeeded", "Failed", "Bound"),
    "status": ("True", "False", "Unknown"),
    "nodeName": ("node-1",),
    "fieldPath": ("metadata.name", "status.podIP", "spec.x", "metadata.labels['a']"),
    "resource": ("limits.cpu", "requests.memory", "limits.x"),
    "accessModes": ("ReadWriteOnce", "ReadOnlyMany"),
    "ip": ("1.2.3.4", "::1", "x"),
    "storage": ("1Gi",),
    "cpu": ("1", "500m"),
}
_STRINGS: tuple[Any, ...] = (
    "x", "a-b", "", "A_B", "-x", "a.b/c", "é", "a" * 64, "b" * 254, "x y", "1", "a\nb", "10%",
)  # fmt: skip
_INTEGERS: tuple[Any, ...] = (0, 1, -1, 2, 80, 65536, 70000, 2**31 - 1, 2**31, -(2**31), 2**53)
_QUANTITIES: tuple[Any, ...] = (
    "1", "500m", "1Gi", "-1", "", "abc", 1, 1.5, "1e3", "1.5Gi", "0.0001", "1E", "0", "1Ki ", "5n",
)  # fmt: skip
_TIMES = (
    "2020-01-01T00:00:00Z", "2020-01-01T00:00:00.123456Z", "2020-01-01T01:00:00+01:00",
    "2020-02-30T00:00:00Z", "yesterday", "",
)  # fmt: skip
_EITHER: tuple[Any, ...] = (80, "80", "http", "50%", "150%", "", -1, 70000, "-5%", "a b", "x" * 16)
# A priority that is everybody's default would be seen by other sequences.
_NOT_CHANGED = frozenset(("apiVersion", "kind", "managedFields", "globalDefault"))
_WRONG: tuple[Any, ...] = (
    5, "x", True, None, [], {}, 1.5, ["x"], {"a": 1}, 2**63, 10**30, -1.5e300, [None], [[]],
)  # fmt: skip


def mutated(draws: Draws, obj: Any, schema: Schema, times: int = 1) -> Any:
    """A copy with that many places changed."""
    obj = copy.deepcopy(obj)
    for _ in range(times):
        obj = _changed(draws, obj, schema, "", 0)
    return obj


def _changed(draws: Draws, value: Any, schema: Schema, name: str, depth: int) -> Any:
    """Goes down by chance and changes what it comes to."""
    schema = schema.resolve()
    if draws.is_so(0.04 if depth else 0.01) or depth > DEPTH_MAX:
        return _any(draws, schema, name, depth)
    if schema.type == "object" and schema.fields and isinstance(value, dict):
        names = [n for n in schema.fields if n not in _NOT_CHANGED]
        there = [n for n in names if n in value]
        roll = draws.random()
        if roll < 0.04:
            return {**value, draws.choice(("extra", "Extra", "naem")): draws.choice(_WRONG)}
        if roll < 0.10 and there:
            gone = draws.choice(there)
            return {n: v for n, v in value.items() if n != gone}
        if roll < 0.65 and there:
            field = draws.choice(there)
        elif names:
            field = draws.choice(names)
        else:
            return value
        child = schema.fields[field]
        changed = (
            _changed(draws, value[field], child, field, depth + 1)
            if field in value
            else made(draws, child, field, depth + 1)
        )
        return {**value, field: changed}
    if schema.type == "array" and schema.items and isinstance(value, list) and value:
        number = draws.randrange(len(value))
        roll = draws.random()
        if roll < 0.15:
            return [*value, copy.deepcopy(value[number])]
        if roll < 0.25:
            return [*value, made(draws, schema.items, name, depth + 1)]
        if roll < 0.32:
            return [*value[:number], *value[number + 1 :]]
        return [
            _changed(draws, each, schema.items, name, depth + 1) if n == number else each
            for n, each in enumerate(value)
        ]
    return _any(draws, schema, name, depth)


def _any(draws: Draws, schema: Schema, name: str, depth: int) -> Any:
    return draws.choice(_WRONG) if draws.is_so(0.2) else made(draws, schema, name, depth)


def made(draws: Draws, schema: Schema, name: str, depth: int) -> Any:
    """A value of this schema, mostly, that may still be wrong for other reasons."""
    schema = schema.resolve()
    if draws.is_so(0.03):
        return draws.choice(_WRONG)
    if schema.format == "quantity":
        return draws.choice(_QUANTITIES)
    if schema.format in ("date-time", "micro-time"):
        return draws.choice(_TIMES)
    if schema.type == "int-or-string":
        return draws.choice(_EITHER)
    if schema.type == "string":
        words = (*schema.enum, *WORDS.get(name, ()))
        return draws.choice(words) if words and draws.is_so(0.75) else draws.choice(_STRINGS)
    if schema.type == "integer":
        return draws.choice(_INTEGERS) if draws.is_so(0.7) else draws.randint(0, 20)
    if schema.type == "number":
        return draws.choice((0, 1, 1.5, -1))
    if schema.type == "boolean":
        return draws.is_so(0.5)
    if schema.type == "array" and schema.items is not None:
        count = draws.choice((0, 1, 1, 1, 2)) if depth < DEPTH_MAX else 0
        return [made(draws, schema.items, name, depth + 1) for _ in range(count)]
    if schema.type == "object":
        return _made_object(draws, schema, depth)
    return draws.choice(_WRONG)


def _made_object(draws: Draws, schema: Schema, depth: int) -> Any:
    if depth > DEPTH_MAX:
        return {}
    if schema.values is not None:
        keys = ("a", "cpu", "memory", "storage", "app", "", "bad key!", "example.com/x")
        return {n: made(draws, schema.values, n, depth + 1) for n in draws.few(keys, 2)}
    names = list(schema.fields)
    wanted = [n for n in names if schema.fields[n].required or schema.fields[n].expected]
    chosen = {*[n for n in wanted if draws.is_so(0.9)], *draws.few(names, 2)}
    return {n: made(draws, schema.fields[n], n, depth + 1) for n in names if n in chosen}
