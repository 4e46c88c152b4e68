"""Parses the names of objects in arguments: `pod/NAME`, `tj/NAME`, or a workload's bare name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from mizzen.base import resources as r
from mizzen.base.resources import Resource

_ALIASES: Mapping[Resource, tuple[str, ...]] = {
    r.PODS: ("po",),
    r.TRAIN_JOBS: ("tj",),
    r.MODEL_ENDPOINTS: ("me", "endpoint", "endpoints"),
    r.JOBS: (),
    r.CRON_JOBS: ("cj",),
    r.DEPLOYMENTS: ("deploy",),
    r.REPLICA_SETS: ("rs",),
    r.STATEFUL_SETS: ("sts",),
    r.DAEMON_SETS: ("ds",),
    r.REPLICATION_CONTROLLERS: ("rc",),
    r.HORIZONTAL_POD_AUTOSCALERS: ("hpa",),
    r.POD_DISRUPTION_BUDGETS: ("pdb",),
    r.PERSISTENT_VOLUME_CLAIMS: ("pvc",),
    r.SERVICE_ACCOUNTS: ("sa",),
    r.INGRESSES: ("ing",),
    r.NODES: ("no",),
    r.POD_GROUPS: ("pg",),
    r.RESOURCE_CLAIMS: ("claim", "claims"),
    r.RESOURCE_CLAIM_TEMPLATES: (),
    r.RESOURCE_SLICES: (),
    r.DEVICE_CLASSES: (),
    r.PRIORITY_CLASSES: ("pc",),
    r.RUNTIME_CLASSES: (),
    r.SERVICES: ("svc",),
    r.CONFIG_MAPS: ("cm",),
    r.SECRETS: (),
    r.NAMESPACES: ("ns",),
    r.CLUSTER_TRAINING_RUNTIMES: (),
    r.TRAINING_RUNTIMES: (),
    r.CUSTOM_RESOURCE_DEFINITIONS: ("crd", "crds"),
}
_BY_WORD: Mapping[str, Resource] = {
    word: resource
    for resource, aliases in _ALIASES.items()
    for word in (resource.plural, resource.kind.lower(), *aliases)
}
# Where a bare name is looked for, in this order.
WORKLOADS = (r.TRAIN_JOBS, r.MODEL_ENDPOINTS, r.JOBS, r.PODS)


class UnknownNoun(ValueError):
    """The message names the word and, where there is one, what was probably meant."""


def parse(text: str) -> tuple[Resource | None, str]:
    """`KIND/NAME` to its resource and name; (None, name) for a bare name.

    Errors: UnknownNoun.
    """
    word, slash, name = text.partition("/")
    if not text:
        raise UnknownNoun("'' is no name; say KIND/NAME, such as pod/my-name")
    if not slash:
        return None, text
    resource = _BY_WORD.get(word.lower().split(".", 1)[0])
    if resource is None:
        raise UnknownNoun(f"kind {word!r} is not known{_hint(word, _BY_WORD)}")
    if not name or "/" in name:
        raise UnknownNoun(f"{text!r} is not KIND/NAME, such as {resource.kind.lower()}/my-name")
    return resource, name


def shown(resource: Resource, name: str) -> str:
    """The name of an object in output: trainjob/first-light."""
    return f"{resource.kind.lower()}/{name}"


def _hint(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word.lower(), list(known), n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return "; known are " + ", ".join(sorted(r.kind.lower() for r in _ALIASES))
