"""Who may do what: one plain table, least privilege.

A rule is "verbs resources": verbs out of get list watch create update patch delete
deletecollection, or "read" for the first three; resources as `plural[.group][/subresource]`. A
subresource has a rule of its own, to be read as to be written: whoever may read a pod may not read
its log. "*" is every resource and no subresource. `admin` may do everything. Discovery, OpenAPI, version and health are open to all identities.
"""

from __future__ import annotations

from collections.abc import Mapping

from mizzen.base.names import ADMIN, IDENTITY_PREFIX

_READ = ("get", "list", "watch")
_DRA = "resource.k8s.io"
_SCHEDULING = "scheduling.k8s.io"
_TRAINER = "trainer.kubeflow.org"
_COMMON = (
    "create,patch,update events",
    "get,create,update,patch leases.coordination.k8s.io",
    "create plans.mizzen.dev",
)

RULES: Mapping[str, tuple[str, ...]] = {
    IDENTITY_PREFIX + "controllers": (
        *_COMMON,
        "read *",
        "create,update,patch,delete pods",
        "update,patch pods/status",
        f"create,update,patch,delete resourceclaims.{_DRA},resourceclaimtemplates.{_DRA}",
        f"update,patch resourceclaims.{_DRA}/status",
        f"create,update,patch,delete podgroups.{_SCHEDULING},priorityclasses.{_SCHEDULING}",
        f"update,patch podgroups.{_SCHEDULING}/status",
        f"create,update,patch deviceclasses.{_DRA},clustertrainingruntimes.{_TRAINER}",
        "create,update,patch configmaps,secrets,services,serviceaccounts,namespaces",
        "update,patch nodes,nodes/status",
        f"update,patch trainjobs.{_TRAINER},trainjobs.{_TRAINER}/status",
        f"update,patch devicetaintrules.{_DRA}/status",
        f"update,patch,delete resourcepoolstatusrequests.{_DRA}",
        f"update,patch resourcepoolstatusrequests.{_DRA}/status",
        "update,patch,delete jobs.batch",
        "update,patch jobs.batch/status",
        "update,patch modelendpoints.mizzen.dev,modelendpoints.mizzen.dev/status",
        f"delete resourceslices.{_DRA},events,usagerecords.mizzen.dev",
    ),
    IDENTITY_PREFIX + "scheduler": (
        *_COMMON,
        "read pods,nodes,namespaces,events",
        f"read deviceclasses.{_DRA},resourceslices.{_DRA}",
        f"read resourceclaims.{_DRA},resourceclaimtemplates.{_DRA}",
        f"read priorityclasses.{_SCHEDULING},podgroups.{_SCHEDULING}",
        f"read trainjobs.{_TRAINER},modelendpoints.mizzen.dev,jobs.batch",
        "read customresourcedefinitions.apiextensions.k8s.io",
        "read jobsets.jobset.x-k8s.io,leaderworkersets.leaderworkerset.x-k8s.io",
        "read podgroups.scheduling.volcano.sh,jobs.batch.volcano.sh,hypernodes.topology.volcano.sh",
        "read podgroups.scheduling.x-k8s.io,podgroups.scheduling.run.ai,topologies.kueue.x-k8s.io",
        "create pods/binding",
        "patch,delete pods",
        "update,patch pods/status",
        f"read devicetaintrules.{_DRA}",
        f"create,update,patch,delete resourceclaims.{_DRA}",
        f"update,patch resourceclaims.{_DRA}/status",
        f"update,patch podgroups.{_SCHEDULING}/status",
    ),
    IDENTITY_PREFIX + "node": (
        *_COMMON,
        "read pods,configmaps,secrets,services,nodes,namespaces,events",
        f"read resourceclaims.{_DRA},deviceclasses.{_DRA}",
        f"read trainjobs.{_TRAINER},modelendpoints.mizzen.dev",
        "create,update,patch nodes",
        "update,patch nodes/status",
        "patch,delete pods",
        "update,patch pods/status",
        f"update,patch resourceclaims.{_DRA}/status",
        f"read,create,update,patch,delete resourceslices.{_DRA}",
        "read,create,delete usagerecords.mizzen.dev",
    ),
    IDENTITY_PREFIX + "gateway": (
        *_COMMON,
        "read pods,services,modelendpoints.mizzen.dev",
        "update,patch modelendpoints.mizzen.dev/status",
    ),
}


def _compile(rules: tuple[str, ...]) -> frozenset[tuple[str, str]]:
    allowed: set[tuple[str, str]] = set()
    for rule in rules:
        verbs, resources = rule.split(" ")
        for verb in verbs.split(","):
            for each in _READ if verb == "read" else (verb,):
                allowed.update((each, resource) for resource in resources.split(","))
    return frozenset(allowed)


_ALLOWED = {identity: _compile(rules) for identity, rules in RULES.items()}


def is_allowed(identity: str, verb: str, resource: str, subresource: str = "") -> bool:
    """`resource` as in the rules."""
    if identity == ADMIN:
        return True
    allowed = _ALLOWED.get(identity)
    if allowed is None:
        return False
    if subresource:
        return (verb, f"{resource}/{subresource}") in allowed
    return (verb, resource) in allowed or (verb, "*") in allowed


def may_read_history(identity: str) -> bool:
    return identity == ADMIN or identity == IDENTITY_PREFIX + "controllers"
