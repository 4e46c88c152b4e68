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

_LISTED = r"/(body/items|events/\d+/object/items|body/rows)/\d+"
_PARSER = r"couldn't get version/kind; json parse error|invalid character|unexpected end of JSON"
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
        "volumes are not held back by finalizers, which no controller here would take off",
        step=r"persistentvolume",
        where=r".*/metadata/finalizers(/\d+)?",
        theirs=r"kubernetes.io/pv",
    ),
    Explained(
        "a body that is no JSON is told in the words of our parser, not of Go's",
        where=r"/(answer|body/message)",
        ours=r"(not valid JSON|must be a .* object|is empty; it must be JSON|in the data \(|must be)",
        theirs=_PARSER,
    ),
    Explained(
        "what upstream's URL router does not know is a page of text there and a Status here",
        step=r" //api|/apis/none",
        where=r"/(body|answer)",
        theirs=r"404",
    ),
    Explained(
        "addresses for clients outside of the cluster are not told in discovery",
        step=r" /apis?$",
        where=r"/body/serverAddressByClientCIDRs",
    ),
    Explained(
        "discovery lists what is served, in an order of its own, and its kind's version",
        step=r" /(api|apis)(/|$)[^?]*$",
        where=r"/body(/resources|/apiVersion|/groups|)",
    ),
    Explained(
        "continue tokens of other servers are refused in other words",
        where=r"/body/message",
        ours=r"^invalid continue token",
        theirs=r"^invalid continue token|encoded in base64|continue key is not valid",
    ),
    Explained(
        "the forms that can be given are named, where upstream says only that there is none",
        where=r"/(body/message|answer)",
        ours=r"only the following media types are accepted",
        theirs=r"^(406|only the following|.*Not Acceptable)",
    ),
)
