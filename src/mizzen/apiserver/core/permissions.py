"""The permissions of Mizzen's components: one table, least privilege.

The API server authorizes by it (`authorizers/components.py`); `mizzen install` renders it as RBAC
for a cluster that others share (`compose/manifests.py`).

A rule is "verbs resources": verbs out of get list watch create update patch delete
deletecollection, or "read" for the first three; resources as `plural[.group][/subresource]`. A
subresource has a rule of its own, to be read as to be written: whoever may read a pod may not read
its log. "*" is every resource and no subresource.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

READ = ("get", "list", "watch")
_DRA = "resource.k8s.io"
_SCHEDULING = "scheduling.k8s.io"
_TRAINER = "trainer.kubeflow.org"
_EVENTS = "create,patch,update events"
# Who asks for metrics is looked up.
_REVIEWS = "create tokenreviews.authentication.k8s.io,subjectaccessreviews.authorization.k8s.io"
_COMMON = ("get,create,update,patch leases.coordination.k8s.io", "create plans.mizzen.dev")


@dataclass(frozen=True, slots=True)
class Permissions:
    """Rules of one component: wherever it runs, on Mizzen's own API server, on a cluster that
    others share, and there in Mizzen's namespace alone. `paths` are read on Mizzen's own."""

    everywhere: tuple[str, ...]
    own: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    shared_namespace: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


class Rule(NamedTuple):
    """`verbs` on `resource`, which is a plural, perhaps with its subresource; "*/NAME" is that
    subresource of whatever, "*" whatever has none, "*/*" all of the group."""

    verbs: tuple[str, ...]
    group: str
    resource: str


COMPONENTS = {
    "controllers": Permissions(
        everywhere=(
            _EVENTS,
            "read,create,update,patch,delete pods",
            "patch pods/status",
            "read nodes",
            f"read deviceclasses.{_DRA}",
            f"read,create,update,patch,delete resourceclaims.{_DRA},podgroups.{_SCHEDULING}",
            f"read,update,patch trainjobs.{_TRAINER},modelendpoints.mizzen.dev",
            f"update,patch trainjobs.{_TRAINER}/status,modelendpoints.mizzen.dev/status",
            f"read clustertrainingruntimes.{_TRAINER},trainingruntimes.{_TRAINER}",
        ),
        own=(
            *_COMMON,
            "read *",
            "update pods/status",
            f"create,update,patch,delete resourceclaimtemplates.{_DRA}",
            f"update,patch resourceclaims.{_DRA}/status",
            f"create,update,patch,delete priorityclasses.{_SCHEDULING}",
            f"update,patch podgroups.{_SCHEDULING}/status",
            f"create,update,patch deviceclasses.{_DRA},clustertrainingruntimes.{_TRAINER}",
            "create,update,patch configmaps,secrets,services,serviceaccounts,namespaces",
            "create,update,patch,delete endpoints,endpointslices.discovery.k8s.io",
            "update,patch nodes,nodes/status",
            f"update,patch devicetaintrules.{_DRA}/status",
            f"update,patch,delete resourcepoolstatusrequests.{_DRA}",
            f"update,patch resourcepoolstatusrequests.{_DRA}/status",
            "create,update,patch,delete jobs.batch",
            "update,patch jobs.batch/status,cronjobs.batch/status",
            "update,patch poddisruptionbudgets.policy/status,resourcequotas/status",
            "create,update,patch,delete replicasets.apps,controllerrevisions.apps",
            "update,patch deployments.apps/status,replicasets.apps/status",
            "update,patch statefulsets.apps/status,daemonsets.apps/status",
            "update,patch replicationcontrollers/status",
            "create,update,patch persistentvolumeclaims",
            "update,patch horizontalpodautoscalers.autoscaling/status",
            "get,update,patch */scale",
            "read *.custom.metrics.k8s.io/*",
            f"delete resourceslices.{_DRA},events,usagerecords.mizzen.dev",
        ),
        shared=(
            f"update,patch trainjobs.{_TRAINER}/finalizers",
            "update,patch modelendpoints.mizzen.dev/finalizers",
            _REVIEWS,
        ),
        shared_namespace=("get,create,update leases.coordination.k8s.io",),
        paths=("/mizzen/v1/history",),
    ),
    "scheduler": Permissions(
        everywhere=(
            _EVENTS,
            "read pods,nodes,namespaces",
            "patch,delete pods",
            "create pods/binding",
            "patch pods/status",
            f"read deviceclasses.{_DRA},resourceslices.{_DRA},devicetaintrules.{_DRA}",
            f"read,create,patch,delete resourceclaims.{_DRA}",
            f"patch,update resourceclaims.{_DRA}/status",
            f"read priorityclasses.{_SCHEDULING},podgroups.{_SCHEDULING}",
            f"patch,update podgroups.{_SCHEDULING}/status",
            "read jobs.batch",
            "read customresourcedefinitions.apiextensions.k8s.io",
        ),
        own=(
            *_COMMON,
            f"read events,resourceclaimtemplates.{_DRA}",
            "update pods/status",
            f"update resourceclaims.{_DRA}",
            # How other systems tell gangs, topologies and queues; elsewhere the scheduler says it.
            "read jobsets.jobset.x-k8s.io,leaderworkersets.leaderworkerset.x-k8s.io",
            "read podgroups.scheduling.volcano.sh,jobs.batch.volcano.sh",
            "read hypernodes.topology.volcano.sh,podgroups.scheduling.x-k8s.io",
            "read podgroups.scheduling.run.ai,topologies.kueue.x-k8s.io",
        ),
        shared=(
            # Asked for by API servers that guard allocations apart from the status.
            f"patch,update resourceclaims.{_DRA}/binding",
            f"read workloads.{_SCHEDULING}",
            _REVIEWS,
        ),
        shared_namespace=(
            "read,create,update,patch,delete configmaps",
            "get,create,update leases.coordination.k8s.io",
        ),
    ),
    "node": Permissions(
        everywhere=(
            _EVENTS,
            # Secrets, ConfigMaps and tokens of its own pods: `core/node_access.py`.
            "read pods,services,nodes,namespaces,events",
            f"read resourceclaims.{_DRA},deviceclasses.{_DRA}",
            f"read trainjobs.{_TRAINER},modelendpoints.mizzen.dev",
            "read runtimeclasses.node.k8s.io,endpointslices.discovery.k8s.io",
            "create,update,patch nodes",
            "update,patch nodes/status",
            "patch,delete pods",
            "update,patch pods/status",
            f"update,patch resourceclaims.{_DRA}/status",
            f"read,create,update,patch,delete resourceslices.{_DRA}",
            "read,create,delete usagerecords.mizzen.dev",
        ),
        own=_COMMON,
    ),
    "gateway": Permissions(
        everywhere=(
            _EVENTS,
            "read pods,services,modelendpoints.mizzen.dev",
            "update,patch modelendpoints.mizzen.dev/status",
        ),
        own=_COMMON,
    ),
}
# Of each of them; a trailing * is any rest, as in RBAC's nonResourceURLs.
DISCOVERY_PATHS = (
    "/api", "/api/*", "/apis", "/apis/*", "/openapi/*", "/version", "/metrics", "/metrics/*",
)  # fmt: skip


def parse(rules: Iterable[str]) -> Iterator[Rule]:
    """The rules, one resource at a time."""
    for rule in rules:
        verbs, resources = rule.split(" ")
        each = tuple(v for verb in verbs.split(",") for v in (READ if verb == "read" else (verb,)))
        for resource in resources.split(","):
            qualified, slash, subresource = resource.partition("/")
            plural, _, group = qualified.partition(".")
            yield Rule(each, group, f"{plural}{slash}{subresource}")
