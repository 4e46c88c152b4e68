"""Admission policies of one kind with their bindings: which are about a write, with which parameters.

Source: k8s.io/apiserver/pkg/admission/plugin/policy/{generic,matching}, v0.36.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from mizzen.apiserver.admission_chain import AdmissionRequest
from mizzen.apiserver.admission_matching import is_selected, version_for
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.configurations import Configurations
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.admission_rules import EXEMPT_GROUP, may_match, selects
from mizzen.apiserver.core.policies import BoundPolicy
from mizzen.base.objects import Obj
from mizzen.base.reading import entries, part, text
from mizzen.store.store import ObjectKey

_P = TypeVar("_P", bound=BoundPolicy)


class Misconfigured(Exception):
    """A binding whose parameters cannot be had."""


class BoundPolicies(Generic[_P]):
    """The policies of one resource that are bound; `read` compiles one."""

    def __init__(
        self, context: Context, policies: str, bindings: str, read: Callable[[Obj], _P]
    ) -> None:
        self.context = context
        self.policies = Configurations(context, policies, read)
        self.bindings = Configurations(context, bindings, lambda binding: binding)

    def concerns(self, served: Served) -> bool:
        resource = served.resource
        return resource.group != EXEMPT_GROUP and any(
            may_match(_rules(policy.constraints), resource.group, resource.plural)
            for policy, _ in self._bound()
        )

    def matching(self, request: AdmissionRequest) -> Iterator[tuple[_P, list[Obj], str]]:
        """Policies that are about this write, their bindings that are, and the version in which
        they see it."""
        for policy, bindings in self._bound():
            version = self._matches(request, policy.constraints)
            if version is not None:
                yield policy, [b for b in bindings if self._is_bound(request, b)], version

    def _bound(self) -> Iterator[tuple[_P, list[Obj]]]:
        by_policy: dict[str, list[Obj]] = {}
        for binding in self.bindings.items():
            by_policy.setdefault(text(binding, "spec", "policyName"), []).append(binding)
        for policy in self.policies.items():
            if policy.name in by_policy:
                yield policy, by_policy[policy.name]

    def _matches(self, request: AdmissionRequest, constraints: Obj) -> str | None:
        """The version in which the policy sees the write; None where it is not about it."""
        is_equivalent = (constraints.get("matchPolicy") or "Equivalent") == "Equivalent"
        catalog, name = self.context.catalog, request.key.name
        selectors = constraints.get("objectSelector"), constraints.get("namespaceSelector")
        if not is_selected(request, *selectors):
            return None
        excluded = _named(entries(constraints, "excludeResourceRules"), name)
        if version_for(catalog, request, excluded, is_equivalent=is_equivalent) is not None:
            return None
        if not entries(constraints, "resourceRules"):
            return request.served.resource.version
        rules = _named(entries(constraints, "resourceRules"), name)
        return version_for(catalog, request, rules, is_equivalent=is_equivalent)

    def _is_bound(self, request: AdmissionRequest, binding: Obj) -> bool:
        resources = part(binding, "spec", "matchResources")
        return not resources or self._matches(request, resources) is not None

    def _served(self, api_version: str, kind: str) -> Served | None:
        """The kind of parameters, in the version that the policy names."""
        found, version = self.context.catalog.by_kind(api_version, kind), api_version.split("/")[-1]
        if found is None:
            return None
        resource = found.resource
        return self.context.catalog.find(resource.group, version, resource.plural)

    def params(
        self, request: AdmissionRequest, policy: BoundPolicy, binding: Obj
    ) -> list[Obj | None]:
        """Errors: Misconfigured."""
        kind, reference = policy.param_kind, part(binding, "spec", "paramRef")
        if kind is None or not reference:
            return [None]
        served = self._served(*kind)
        if served is None:
            raise Misconfigured(f"paramKind kind `{kind[0]}, Kind={kind[1]}` not known")
        namespace = text(reference, "namespace")
        if not served.resource.namespaced:
            if namespace:
                raise Misconfigured(
                    "paramRef.namespace must not be provided for a cluster-scoped `paramKind`"
                )
        else:
            namespace = namespace or request.key.namespace
            if not namespace:
                raise Misconfigured(
                    "cannot use namespaced paramRef in policy binding that matches cluster-scoped "
                    "resources"
                )
        name, draft = text(reference, "name"), request.draft
        if name:
            one = draft.get(ObjectKey(served.key, namespace, name))
            found = [] if one is None else [draft.shown(served, one)]
        else:
            listed = (draft.shown(served, each) for each in draft.list(served.key, namespace))
            found = [each for each in listed if selects(reference.get("selector"), each)]
        if not found and reference.get("parameterNotFoundAction") == "Deny":
            raise Misconfigured(
                "no params found for policy binding with `Deny` parameterNotFoundAction"
            )
        return [*found]


def _rules(constraints: Obj) -> list[Obj]:
    everything: Obj = {"apiGroups": ["*"], "resources": ["*"]}
    return entries(constraints, "resourceRules") or [everything]


def _named(rules: list[Obj], name: str) -> list[Obj]:
    """The rules that are about an object of this name, as far as names go."""
    return [rule for rule in rules if name in (rule.get("resourceNames") or (name,))]
