"""Holds pods to the Pod Security Standard that their namespace's labels name.

Pods are refused, what makes pods is warned of and recorded. A namespace without such a label costs
one look into a set. Source: k8s.io/pod-security-admission/admission, v0.36, with its defaults: all
is privileged, nothing exempt.
"""

from __future__ import annotations

from itertools import islice

from mizzen.apiserver.admission_chain import (
    CREATE,
    UPDATE,
    UPDATE_EPHEMERAL,
    AdmissionRequest,
    Plugin,
)
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.pod_security import (
    PREFIX,
    PRIVILEGED,
    Policy,
    detail,
    existing_pods_warnings,
    is_significant,
    policy_of,
    prioritized,
)
from mizzen.apiserver.core.refusals import forbidden
from mizzen.base.errors import Cause, invalid
from mizzen.base.objects import Obj, labels_of
from mizzen.base.reading import part
from mizzen.base.resources import NAMESPACES, PODS
from mizzen.store.store import ObjectKey

_ENFORCED, _PRIVILEGED = f"{PREFIX}enforce-policy", str(PRIVILEGED)
PODS_CHECKED_MAX = 3000  # when a namespace's label changes
_TEMPLATES = {
    ("", "podtemplates"): ("template",),
    ("", "replicationcontrollers"): ("spec", "template"),
    ("apps", "replicasets"): ("spec", "template"),
    ("apps", "deployments"): ("spec", "template"),
    ("apps", "statefulsets"): ("spec", "template"),
    ("apps", "daemonsets"): ("spec", "template"),
    ("batch", "jobs"): ("spec", "template"),
    ("batch", "cronjobs"): ("spec", "jobTemplate", "spec", "template"),
}
_OPERATIONS = frozenset((CREATE, UPDATE, UPDATE_EPHEMERAL))


class PodSecurity:
    """Knows which namespaces may have labels; those that ever had some."""

    def __init__(self, context: Context) -> None:
        self._store = context.store
        self._namespaces: set[str] | None = None

    def check_namespace(self, request: AdmissionRequest) -> None:
        """Errors: Invalid where labels of a new kind cannot be read."""
        new, old = request.object, request.old
        if not _has_labels(new) and (old is None or not _has_labels(old)):
            return
        name = request.key.name
        policy, causes = policy_of(labels_of(new))
        before, known = (Policy(), []) if old is None else policy_of(labels_of(old))
        if causes and causes != known:
            raise invalid(NAMESPACES.kind, "", name, causes)
        self._hints().add(name)
        enforce, was = policy.enforce, before.enforce
        if old is None or enforce == was or enforce.level == PRIVILEGED.level:
            return
        if enforce.minor == was.minor and not enforce.is_stricter(was):
            return
        stored = self._store.peek_all(PODS.plural, name)
        looked_at = [each.object() for each in islice(stored, PODS_CHECKED_MAX)]
        total = len(stored)
        request.draft.warnings += existing_pods_warnings(
            name, enforce, prioritized(looked_at), total
        )

    def check_pod(self, request: AdmissionRequest) -> None:
        """Errors: Forbidden."""
        annotations = request.draft.audit_annotations
        found = self._policy(request)
        if found is None:
            annotations[_ENFORCED] = _PRIVILEGED
            return
        policy, causes = found
        pod = request.object
        if request.old is not None and not is_significant(pod["spec"], request.old["spec"]):
            return
        self._judge(request, policy, causes, pod, is_enforced=True)

    def check_template(self, request: AdmissionRequest) -> None:
        """Records and warns; refuses nothing."""
        found = self._policy(request)
        if found is None:
            return
        policy, causes = found
        levels = policy.warn.level, policy.audit.level
        if not causes and levels == (PRIVILEGED.level, PRIVILEGED.level):
            return
        resource = request.served.resource
        template = part(request.object, *_TEMPLATES[resource.group, resource.plural])
        if template:
            self._judge(request, policy, causes, template, is_enforced=False)

    def _judge(
        self, request: AdmissionRequest, policy: Policy, causes: list[Cause], pod: Obj, *,
        is_enforced: bool,
    ) -> None:  # fmt: skip
        """Errors: Forbidden."""
        draft, spec = request.draft, part(pod, "spec")
        annotations, marks = draft.audit_annotations, part(pod, "metadata", "annotations")
        if causes:
            listed = ", ".join(f"{cause.field}: {cause.message}" for cause in causes)
            listed = f"[{listed}]" if len(causes) > 1 else listed
            annotations[f"{PREFIX}error"] = f"Failed to parse policy: {listed}"
        recorded = policy.audit.violations(marks, spec)
        if recorded:
            said = f'would violate PodSecurity "{policy.audit}": {detail(recorded)}'
            annotations[f"{PREFIX}audit-violations"] = said
        if is_enforced:
            annotations[_ENFORCED] = str(policy.enforce)
            refused = policy.enforce.violations(marks, spec)
            if refused:
                said = f'violates PodSecurity "{policy.enforce}": {detail(refused)}'
                raise forbidden(request.served.resource, request.key.name, said)
        warned = policy.warn.violations(marks, spec)
        if warned:
            draft.warnings.append(f'would violate PodSecurity "{policy.warn}": {detail(warned)}')

    def _policy(self, request: AdmissionRequest) -> tuple[Policy, list[Cause]] | None:
        """None where all is privileged."""
        name = request.key.namespace
        request.draft.peek(ObjectKey(NAMESPACES.plural, "", name))  # what is said rests on it
        if name not in self._hints():
            return None
        namespace = request.draft.get(ObjectKey(NAMESPACES.plural, "", name))
        policy, causes = policy_of({} if namespace is None else labels_of(namespace))
        return None if policy.is_privileged and not causes else (policy, causes)

    def _hints(self) -> set[str]:
        if self._namespaces is None:
            stored = self._store.peek_all(NAMESPACES.plural)
            self._namespaces = {each.key.name for each in stored if _has_labels(each.object())}
        return self._namespaces


def _has_labels(namespace: Obj) -> bool:
    return any(label.startswith(PREFIX) for label in labels_of(namespace))


def _makes_pods(served: Served) -> bool:
    return (served.resource.group, served.resource.plural) in _TEMPLATES


def pod_security(context: Context) -> list[Plugin]:
    security = PodSecurity(context)
    return [
        Plugin(_OPERATIONS, lambda s: s.resource == NAMESPACES, admit=security.check_namespace),
        Plugin(
            _OPERATIONS, lambda s: s.resource == PODS, admit=security.check_pod, by_template=True
        ),
        Plugin(_OPERATIONS, _makes_pods, admit=security.check_template),
    ]


PLUGIN = pod_security
