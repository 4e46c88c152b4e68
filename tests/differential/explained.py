"""Differences that stay, each with its reason; as narrow as they can be said."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Explained:
    """Covers a difference if all four expressions match: `step` and the values are searched,
    `where` is matched whole."""

    reason: str
    step: str = ""
    where: str = ".*"
    ours: str = ""
    theirs: str = ""


# Warnings that upstream has no reason for: they are taken out of ours before the comparison.
ADDED_WARNINGS = (
    r"Mizzen's own nodes|changes nothing: ",  # fields that nothing of ours acts upon
)

# A hint behind an unknown field, for people: taken out of ours as well.
ADDED_HINT = r' \(did you mean \\?"[^"\\]*\\?"\?\)'

_LISTED = r"/(body/items|events/\d+/object/items|body/rows)/\d+"
EXPLAINED: tuple[Explained, ...] = (
    Explained(
        "items of lists say their kind: they are joined from what is stored, and clients take both",
        where=_LISTED + r"/(apiVersion|kind)",
        theirs=r"^\(absent\)$",
    ),
    Explained(
        "what Go's types hold nothing in is null there and absent here, or an empty list: "
        "no client tells them apart",
        where=r".*/(rules|eventTime|firstTimestamp|lastTimestamp|lastObservedTime|currentMetrics"
        r"|lastProbeTime|lastTransitionTime|lastHeartbeatTime|creationTimestamp|conditions|items)",
        ours=r"^(\(absent\)|\[\]|null)$",
        theirs=r"^(null|\(absent\))$",
    ),
    Explained(
        "lists of custom kinds say that nothing continues",
        where=r"/body/metadata/continue",
        ours=r"^\(absent\)$",
        theirs=r"^$",
    ),
    Explained(
        "what a quota allows and counts is told with the quota itself: it is counted in the commit "
        "of each write, not by a controller afterwards",
        step=r"/resourcequotas",
        where=r".*/status/(hard|used)",
        theirs=r"^\(absent\)$",
    ),
    Explained(
        "a watch of custom objects may begin as far back as history goes, which upstream's cache of "
        "a kind does not know from before it was served",
        step=r"/apis/example\.dev/.*[?&]watch=true.*[?&]resourceVersion=<<rv:",
        where=r"/events",
        theirs=r'^\[\{"object": \{[^{}]*"message": "too old resource version: N \(N\)", '
        r'"metadata": \{\}, "reason": "Expired", "status": "Failure"\}, "type": "ERROR"\}\]$',
    ),
    Explained(
        "a pod that has ended stays ended: what it held has been given to others",
        step=r"^(PATCH|PUT) [^?]*/pods/[^/]+/status",
        where=r"/answer",
        ours=r"status\.phase: Invalid value: .*: a pod that has (Succeeded|Failed) cannot leave that phase$",
        theirs=r"^200 $",
    ),
    Explained(
        "volumes are not held back by finalizers, which no controller here would take off",
        step=r"persistentvolume",
        where=r".*/metadata/finalizers(/\d+)?",
        theirs=r"kubernetes.io/pv",
    ),
    Explained(
        "what columns of tables mean is told in our words; clients print their names",
        where=r".*/columnDefinitions/\d+/description",
        ours=r"^(?!\(absent\))",
        theirs=r"^(?!\(absent\))",
    ),
    Explained(
        "each server has an address of its own",
        step=r" /api/?$",
        where=r"/body/serverAddressByClientCIDRs/0/serverAddress",
    ),
    Explained(
        "each server is a build of its own",
        step=r" /version/?(\?|$)",
        where=r"/body/(gitVersion|gitCommit|goVersion|compiler)",
    ),
    Explained(
        "kinds of Mizzen's own, and the metrics that another server has beside kube-apiserver",
        step=r" /apis/?$",
        where=r"/body/(groups|items)/(mizzen\.dev|trainer\.kubeflow\.org|metrics\.k8s\.io)",
        theirs=r"^\(absent\)$",
    ),
    Explained(
        "versions that kube-apiserver serves where it is told to",
        step=r" /apis(/resource\.k8s\.io|/scheduling\.k8s\.io)?/?$",
        where=r"/body/((groups|items)/(resource|scheduling)\.k8s\.io/)?versions/"
        r"((resource|scheduling)\.k8s\.io:)?(v1alpha2|v1alpha3|v1beta2)",
        theirs=r"^\(absent\)$",
    ),
    Explained(
        "statuses of components, which are deprecated and tell what /readyz tells, are not served",
        step=r" /(api|%61pi)((/|%2f)v1/?)?$",
        where=r"/body/(items/core/versions/v1/)?resources/componentstatuses",
        ours=r"^\(absent\)$",
    ),
    Explained(
        "`/` lists the paths that are served, and a server's checks of itself are its own",
        step=r" (/|/index\.html|/(healthz|livez|readyz)\?.*verbose.*)$",
        where=r"/body(/paths)?",
        ours=r"^(\[\"/|\[\+\]ping ok\n)",
        theirs=r"^(\[\"/|\[\+\]ping ok\n)",
    ),
    Explained(
        "a namespace without a name is none: upstream takes it for all of them, or for a path of etcd's",
        step=r"^[A-Za-z]+ /api/v1/namespaces/(/configmaps|%2e%2e/configmaps/a)$",
        where=r"/answer",
        ours=r"^404 ",
    ),
    Explained(
        "which documents of OpenAPI there are, and their sums: only group-versions have one here",
        step=r" /openapi/v3$",
        where=r"/body/paths/.*",
    ),
    Explained(
        "a token that no server made is refused without the words of Go's JSON and base64 parsers",
        step=r"^(GET|DELETE) .*[?&]continue=",
        where=r"/body/message",
        ours=r"^invalid continue token: continue key is not valid: it is not one this server made$",
        theirs=r"^invalid continue token: continue key is not valid: (invalid character|illegal base64)",
    ),
    Explained(
        "upstream's handler breaks off where objects without a merge key are put in order: it compares "
        "maps, at which Go panics; nothing is written there nor here",
        step=r"^PATCH ",
        where=r"/answer",
        ours=r"^500 The order in patch list:",
        theirs=r"^0 ",
    ),
)
