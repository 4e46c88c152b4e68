"""The pods of a StatefulSet: each has a number, a name and claims of its own.

Source: kube-controller-manager `pkg/controller/statefulset/stateful_set_utils.go`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mizzen.base.int_or_percent import scaled
from mizzen.base.objects import Obj, labels_of, name_of, namespace_of
from mizzen.base.reading import entries, number, part, text
from mizzen.controllers.core.pod_templates import pod_of
from mizzen.controllers.core.replicas import Replica, read_replica
from mizzen.controllers.core.revisions import REVISION_LABEL

POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name"
POD_INDEX_LABEL = "apps.kubernetes.io/pod-index"
_NAME = re.compile(r"(.*)-([0-9]+)")
_ORDINAL_MAX = 2**31 - 1


class Member(NamedTuple):
    """One pod that exists."""

    pod: Obj
    ordinal: int
    facts: Replica

    @property
    def revision(self) -> str:
        return labels_of(self.pod).get(REVISION_LABEL) or ""

    @property
    def is_running_and_ready(self) -> bool:
        return self.facts.phase == "Running" and self.facts.is_ready

    def is_unavailable(self, min_ready_s: int, now_ns: int) -> bool:
        is_available = self.facts.is_available(min_ready_s, now_ns)
        return not is_available or self.facts.is_terminating


def member_of(pod: Obj) -> Member:
    return Member(pod, ordinal_of(pod), read_replica(pod))


def parent_and_ordinal(pod: Obj) -> tuple[str, int]:
    """The set's name and the pod's number by the pod's name; ("", -1) for other names."""
    found = _NAME.fullmatch(name_of(pod))
    if found is None or len(found[2]) > 10:
        return "", -1
    ordinal = int(found[2])
    return found[1], ordinal if ordinal <= _ORDINAL_MAX else -1


def ordinal_of(pod: Obj) -> int:
    return parent_and_ordinal(pod)[1]


def first_ordinal(owner: Obj) -> int:
    return number(owner, "spec", "ordinals", "start")


def in_range(owner: Obj, ordinal: int) -> bool:
    """True if the set is to have a pod of this number."""
    first = first_ordinal(owner)
    return first <= ordinal < first + number(owner, "spec", "replicas")


def most_unavailable(owner: Obj) -> int | None:
    """How many may be unavailable during an update; None where the set does not say."""
    value = part(owner, "spec", "updateStrategy", "rollingUpdate").get("maxUnavailable")
    if value is None:
        return None
    return max(1, scaled(value, number(owner, "spec", "replicas"), round_up=False))


def partition_of(owner: Obj) -> int:
    return number(owner, "spec", "updateStrategy", "rollingUpdate", "partition")


# -- one pod ----------------------------------------------------------------------------


def claim_name(owner: Obj, template: Obj, ordinal: int) -> str:
    return f"{text(template, 'metadata', 'name')}-{name_of(owner)}-{ordinal}"


def make_pod(owner: Obj, template: Obj, revision: str, ordinal: int) -> Obj:
    """The pod of this number by a template, which is of this revision."""
    name = f"{name_of(owner)}-{ordinal}"
    pod = pod_of(template, owner, name)
    pod["metadata"]["labels"] |= {**_identity(name, ordinal), REVISION_LABEL: revision}
    subdomain = text(owner, "spec", "serviceName")
    pod["spec"] = {**pod["spec"], "hostname": name}
    if subdomain:
        pod["spec"]["subdomain"] = subdomain
    volumes = with_storage(owner, pod, ordinal)
    if volumes:
        pod["spec"]["volumes"] = volumes
    return pod


def _identity(name: str, ordinal: int) -> dict[str, str]:
    return {POD_NAME_LABEL: name, POD_INDEX_LABEL: str(ordinal)}


def with_storage(owner: Obj, pod: Obj, ordinal: int) -> list[Obj]:
    """The pod's volumes with those of the set's claims in place of what has their name."""
    templates = entries(owner, "spec", "volumeClaimTemplates")
    names = {text(each, "metadata", "name") for each in templates}
    mounted: list[Obj] = [
        {
            "name": text(each, "metadata", "name"),
            "persistentVolumeClaim": {"claimName": claim_name(owner, each, ordinal)},
        }
        for each in templates
    ]
    return mounted + [v for v in entries(pod, "spec", "volumes") if v.get("name") not in names]


def lacks_identity(owner: Obj, member: Member) -> dict[str, str]:
    """The labels that the pod lacks; none where it is named and labelled as a member is."""
    name = name_of(member.pod)
    if namespace_of(member.pod) != namespace_of(owner):
        return {}
    wanted = _identity(name, member.ordinal)
    return {} if labels_of(member.pod).get(POD_NAME_LABEL) == name else wanted
