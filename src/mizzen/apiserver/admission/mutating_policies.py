"""Changes writes as MutatingAdmissionPolicies and their bindings say.

Policies come before webhooks, and those that want to are carried out again where the object has
changed since. Source: k8s.io/apiserver/pkg/admission/plugin/policy/mutating, v0.36.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mizzen.apiserver.admission_chain import (
    CREATE,
    POLICIES,
    UPDATE,
    UPDATE_APPROVAL,
    UPDATE_STATUS,
    AdmissionRequest,
    Plugin,
)
from mizzen.apiserver.admission_matching import names_for
from mizzen.apiserver.bound_policies import BoundPolicies, Misconfigured
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.admission_rules import EXEMPT_GROUP, api_version
from mizzen.apiserver.core.mutations import MutatingPolicy, MutationFailed, mutate
from mizzen.apiserver.core.policies import Bill
from mizzen.base.errors import InternalError, Passed, failure_status
from mizzen.base.objects import Obj
from mizzen.cel.values import Err
from mizzen.kinds.admission_expressions import object_value

_POLICIES = f"mutatingadmissionpolicies.{EXEMPT_GROUP}"
_BINDINGS = f"mutatingadmissionpolicybindings.{EXEMPT_GROUP}"
_KEPT = ("name", "namespace", "uid", "creationTimestamp", "generation")  # nobody changes these


class _Invocation(NamedTuple):
    policy: MutatingPolicy
    binding: Obj
    version: str
    param: Obj | None


class MutatingPolicies(BoundPolicies[MutatingPolicy]):
    """The policies that are bound, and what they make of a write."""

    def mutate(self, request: AdmissionRequest) -> None:
        """Errors: Passed, for the first policy that cannot be carried out and must be."""
        problems: list[str] = []
        reason = ""
        invocations = list(self._invocations(request, problems))
        if invocations and request.operation == CREATE:
            request.served.kind.default(request.object)  # expressions see complete objects
        bill = Bill()
        before: list[_Invocation] = []  # carried out, and to be again after another's change
        again: list[_Invocation] = []
        for is_first, turn in ((True, invocations), (False, again)):
            for each in turn:
                try:
                    changed = self._carry_out(request, each, bill)
                except MutationFailed as error:
                    if not each.policy.is_ignored:
                        problems.append(_said(each.policy, each.binding, str(error)))
                        reason = reason or "Invalid"
                    continue
                if changed and is_first:
                    again += before
                    before = []
                if each.policy.is_reinvoked:
                    before.append(each)
        if problems:
            raise _refused(request, problems, reason or "Forbidden")

    def _invocations(self, request: AdmissionRequest, problems: list[str]) -> Iterator[_Invocation]:
        for policy, bindings, version in self.matching(request):
            for binding in bindings:
                try:
                    params = self.params(request, policy, binding)
                except Misconfigured as error:
                    if not policy.is_ignored:
                        said = f"failed to configure binding: {error}"
                        problems.append(_said(policy, binding, said))
                    continue
                for param in params:
                    yield _Invocation(policy, binding, version, param)

    def _carry_out(self, request: AdmissionRequest, call: _Invocation, bill: Bill) -> bool:
        """True if the object has changed. Errors: MutationFailed."""
        policy, before = call.policy, request.object
        names = self._names(request, call)
        held = policy.conditions.hold(names, bill)
        if isinstance(held, Err):
            raise MutationFailed(held.reason)
        if not held:
            return False
        problem: MutationFailed | None = None
        has_changed = False
        for index, each in enumerate(policy.mutations):
            if index:
                names = self._names(request, call)
            given = {**names, "variables": policy.lazily(names, bill)}
            served, kind = request.served, request.served.kind
            wanted = api_version(served.resource.group, call.version)
            seen = request.draft.in_version(served, before, wanted)
            try:
                made = mutate(each, kind, seen, given, bill)
                has_changed = _put(request, made, each.is_json_patch) or has_changed
            except MutationFailed as error:
                problem = problem or error
        if problem is not None:
            raise problem
        return has_changed

    def _names(self, request: AdmissionRequest, call: _Invocation) -> dict[str, object]:
        names = names_for(self.context, request, call.version)
        if call.policy.param_kind is not None:
            names["params"] = object_value(call.param)
        return names


def _put(request: AdmissionRequest, made: Obj, is_patched: bool) -> bool:
    """Makes the request's object this one, with right types; True if it is another.

    Errors: MutationFailed where it is none; InternalError, which no policy may ignore, after a
    JSON patch, as upstream.
    """
    obj, served, kind = request.object, request.served, request.served.kind
    decoded = kind.decode(request.draft.in_version(served, made, served.resource.api_version))
    if decoded.causes:
        first = decoded.causes[0]
        said = f"{first.field}: {first.message}"
        if is_patched:
            raise InternalError(f"Internal error occurred: {said}")
        raise MutationFailed(said)
    new, old = decoded.object, obj["metadata"]
    new["metadata"] = {
        **{k: v for k, v in new["metadata"].items() if k not in _KEPT},
        **{k: old[k] for k in _KEPT if k in old},
    }
    if request.operation == CREATE:
        kind.default(new)
    if new == obj:
        return False
    obj.clear()
    obj.update(new)
    return True


def _said(policy: MutatingPolicy, binding: Obj, message: str) -> str:
    name = binding["metadata"]["name"]
    return f"policy '{policy.name}' with binding '{name}' denied request: {message}"


def _refused(request: AdmissionRequest, problems: list[str], reason: str) -> Passed:
    resource, name = request.served.resource, request.key.name
    details: Obj = {"name": name, "group": resource.group, "kind": resource.plural}
    details = {key: value for key, value in details.items() if value}
    details["causes"] = [{"message": each} for each in problems]
    return Passed(failure_status(403, reason, problems[0], details))


def mutating_policies(context: Context) -> list[Plugin]:
    policies = MutatingPolicies(context, _POLICIES, _BINDINGS, MutatingPolicy.of)
    return [
        policies.policies.watch(),
        policies.bindings.watch(),
        Plugin(
            frozenset((CREATE, UPDATE, UPDATE_STATUS, UPDATE_APPROVAL)),
            policies.concerns,
            mutate=policies.mutate,
            stage=POLICIES,
        ),
    ]


PLUGIN = mutating_policies
