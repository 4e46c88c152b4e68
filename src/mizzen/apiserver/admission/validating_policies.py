"""Judges writes by ValidatingAdmissionPolicies and their bindings.

Source: k8s.io/apiserver/pkg/admission/plugin/policy, v0.36.
"""

from __future__ import annotations

from collections.abc import Iterator

from mizzen.apiserver.admission_chain import POLICIES, AdmissionRequest, Plugin
from mizzen.apiserver.admission_matching import OPERATIONS, names_for
from mizzen.apiserver.bound_policies import BoundPolicies, Misconfigured
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.admission_rules import EXEMPT_GROUP
from mizzen.apiserver.core.policies import CODES, Bill, Denial, Policy
from mizzen.apiserver.core.refusals import qualified
from mizzen.base.errors import Passed, failure_status
from mizzen.base.objects import Obj
from mizzen.kinds.admission_expressions import object_value

_POLICIES = f"validatingadmissionpolicies.{EXEMPT_GROUP}"
_BINDINGS = f"validatingadmissionpolicybindings.{EXEMPT_GROUP}"
ANNOTATION_LENGTH_MAX = 10 * 1024


class Policies(BoundPolicies[Policy]):
    """The policies that are bound, and what they say of a write."""

    def check(self, request: AdmissionRequest) -> None:
        """Errors: Passed, with the reason that the first denial gives."""
        bill = Bill()
        first: tuple[Policy, Obj, Denial] | None = None
        for policy, bindings, version in self.matching(request):
            names = names_for(self.context, request, version)
            for binding in bindings:
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
            params = self.params(request, policy, binding)
        except Misconfigured as error:
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
    policies = Policies(context, _POLICIES, _BINDINGS, Policy.of)
    return [
        policies.policies.watch(),
        policies.bindings.watch(),
        Plugin(frozenset(OPERATIONS), policies.concerns, admit=policies.check, stage=POLICIES),
    ]


PLUGIN = validating_policies
