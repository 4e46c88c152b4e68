"""Judges writes by ValidatingAdmissionPolicies and their bindings.

Source: k8s.io/apiserver/pkg/admission/plugin/policy, v0.36.
"""

from __future__ import annotations

from collections.abc import Iterator

from mizzen.apiserver.admission_chain import POLICIES, AdmissionRequest, Plugin
from mizzen.apiserver.admission_matching import OPERATIONS, is_selected, names_for, version_for
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.configurations import Configurations
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.admission_rules import EXEMPT_GROUP, may_match, selects
from mizzen.apiserver.core.policies import CODES, Bill, Denial, Policy
from mizzen.apiserver.core.refusals import qualified
from mizzen.base.errors import Passed, failure_status
from mizzen.base.objects import Obj
from mizzen.base.reading import entries, part, text
from mizzen.kinds.admission_expressions import object_value
from mizzen.store.store import ObjectKey

_POLICIES = f"validatingadmissionpolicies.{EXEMPT_GROUP}"
_BINDINGS = f"validatingadmissionpolicybindings.{EXEMPT_GROUP}"
ANNOTATION_LENGTH_MAX = 10 * 1024


class _Misconfigured(Exception):
    """A binding whose parameters cannot be had."""


class Policies:
    """The policies that are bound, and what they say of a write."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.policies = Configurations(context, _POLICIES, Policy.of)
        self.bindings = Configurations(context, _BINDINGS, lambda binding: binding)

    def concerns(self, served: Served) -> bool:
        resource = served.resource
        return resource.group != EXEMPT_GROUP and any(
            may_match(_rules(policy.constraints), resource.group, resource.plural)
            for policy, _ in self._bound()
        )

    def _bound(self) -> Iterator[tuple[Policy, list[Obj]]]:
        by_policy: dict[str, list[Obj]] = {}
        for binding in self.bindings.items():
            by_policy.setdefault(text(binding, "spec", "policyName"), []).append(binding)
        for policy in self.policies.items():
            if policy.name in by_policy:
                yield policy, by_policy[policy.name]

    def check(self, request: AdmissionRequest) -> None:
        """Errors: Passed, with the reason that the first denial gives."""
        bill = Bill()
        first: tuple[Policy, Obj, Denial] | None = None
        for policy, bindings in self._bound():
            version = self._matches(request, policy.constraints)
            if version is None:
                continue
            names = names_for(self._context, request, version)
            for binding in bindings:
                if not self._is_bound(request, binding):
                    continue
                for denial in self._judge(request, policy, binding, names, bill):
                    first = first or (policy, binding, denial)
        if first is not None:
            raise _denied(request, *first)

    def _judge(
        self, request: AdmissionRequest, policy: Policy, binding: Obj, names: dict[str, object],
        bill: Bill,
    ) -> Iterator[Denial]:  # fmt: skip
        """Denials that refuse; others become warnings and annotations."""
        try:
            params = self._params(request, policy, binding)
        except _Misconfigured as error:
            if not policy.is_ignored:
                yield Denial(f"failed to configure binding: {error}")
            return
        actions = binding["spec"].get("validationActions") or ()
        draft = request.draft
        for param in params:
            given = names if policy.param_kind is None else {**names, "params": object_value(param)}
            denials, annotations = policy.validate(given, bill)
            for key, value in annotations.items():
                draft.audit_annotations[f"{policy.name}/{key}"] = value[:ANNOTATION_LENGTH_MAX]
            for denial in denials:
                name = binding["metadata"]["name"]
                if "Warn" in actions:
                    draft.warnings.append(
                        f"Validation failed for ValidatingAdmissionPolicy '{policy.name}' with "
                        f"binding '{name}': {denial.message}"
                    )
                if "Audit" in actions:
                    key = "validation.policy.admission.k8s.io/validation_failure"
                    draft.audit_annotations[key] = f"{policy.name}/{name}: {denial.message}"
                if "Deny" in actions:
                    yield denial

    def _matches(self, request: AdmissionRequest, constraints: Obj) -> str | None:
        """The version in which the policy sees the write; None where it is not about it."""
        is_equivalent = (constraints.get("matchPolicy") or "Equivalent") == "Equivalent"
        catalog, name = self._context.catalog, request.key.name
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

    def _params(self, request: AdmissionRequest, policy: Policy, binding: Obj) -> list[Obj | None]:
        """Errors: _Misconfigured."""
        kind, reference = policy.param_kind, part(binding, "spec", "paramRef")
        if kind is None or not reference:
            return [None]
        served = self._context.catalog.by_kind(*kind)
        if served is None:
            raise _Misconfigured(f"paramKind kind `{kind[0]}, Kind={kind[1]}` not known")
        namespace = text(reference, "namespace")
        if not served.resource.namespaced:
            if namespace:
                raise _Misconfigured(
                    "paramRef.namespace must not be provided for a cluster-scoped `paramKind`"
                )
        else:
            namespace = namespace or request.key.namespace
            if not namespace:
                raise _Misconfigured(
                    "cannot use namespaced paramRef in policy binding that matches cluster-scoped "
                    "resources"
                )
        name, draft = text(reference, "name"), request.draft
        if name:
            one = draft.get(ObjectKey(qualified(served.resource), namespace, name))
            found = [] if one is None else [one]
        else:
            listed = draft.list(qualified(served.resource), namespace)
            found = [each for each in listed if selects(reference.get("selector"), each)]
        if not found and reference.get("parameterNotFoundAction") == "Deny":
            raise _Misconfigured(
                "no params found for policy binding with `Deny` parameterNotFoundAction"
            )
        return [*found]


def _rules(constraints: Obj) -> list[Obj]:
    everything: Obj = {"apiGroups": ["*"], "resources": ["*"]}
    return entries(constraints, "resourceRules") or [everything]


def _named(rules: list[Obj], name: str) -> list[Obj]:
    """The rules that are about an object of this name, as far as names go."""
    return [rule for rule in rules if name in (rule.get("resourceNames") or (name,))]


def _denied(request: AdmissionRequest, policy: Policy, binding: Obj, denial: Denial) -> Passed:
    resource, name = request.served.resource, request.key.name
    said = (
        f"ValidatingAdmissionPolicy '{policy.name}' with binding '{binding['metadata']['name']}' "
        f"denied request: {denial.message}"
    )
    message = f'{qualified(resource)} "{name}" is forbidden: {said}'
    details: Obj = {"name": name, "group": resource.group, "kind": resource.plural}
    details = {key: value for key, value in details.items() if value}
    details["causes"] = [{"message": said}]
    code = CODES.get(denial.reason, 422)
    return Passed(failure_status(code, denial.reason, message, details))


def validating_policies(context: Context) -> list[Plugin]:
    policies = Policies(context)
    return [
        policies.policies.watch(),
        policies.bindings.watch(),
        Plugin(frozenset(OPERATIONS), policies.concerns, admit=policies.check, stage=POLICIES),
    ]


PLUGIN = validating_policies
