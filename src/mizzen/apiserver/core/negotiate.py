"""Negotiates the form of an answer from the Accept header."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from mizzen.base.errors import NotAcceptable

_PLAIN = ("application/json", "application/*", "*/*", "")


@dataclass(frozen=True, slots=True)
class Form:
    """`shape` is "" (the object), "Table" or "PartialObjectMetadata" (also of lists)."""

    shape: str = ""
    version: str = "v1"
    is_protobuf: bool = False


PLAIN = Form()
PROTOBUF = "application/vnd.kubernetes.protobuf"


@lru_cache(maxsize=256)
def form_of(accept: str) -> Form:
    """The first acceptable alternative of an Accept header; JSON before protobuf, for objects are
    stored as JSON, and to write them otherwise costs more than reading them saves.

    Errors: NotAcceptable when only encodings are accepted that are not served.
    """
    for alternative in accept.split(","):
        media, *parts = [part.strip() for part in alternative.split(";")]
        if media.lower() not in _PLAIN:
            continue
        words = dict(part.split("=", 1) for part in parts if "=" in part)
        shape = words.get("as", "").removesuffix("List")
        if not shape:
            return PLAIN
        version = words.get("v", "v1")
        known = shape in ("Table", "PartialObjectMetadata") and version in ("v1", "v1beta1")
        if known and words.get("g", "meta.k8s.io") == "meta.k8s.io":
            return Form(shape, version)
    for alternative in accept.split(","):
        media, *parts = [part.strip().lower() for part in alternative.split(";")]
        if media == PROTOBUF and not any(part.startswith("as=") for part in parts):
            return Form(is_protobuf=True)
    raise NotAcceptable(
        f"only the following media types are accepted: application/json, {PROTOBUF} "
        "(JSON as Table or PartialObjectMetadata of meta.k8s.io/v1 where useful)"
    )


@lru_cache(maxsize=256)
def takes_protobuf_alone(accept: str) -> bool:
    """True if a client is to be answered in protobuf, errors too."""
    try:
        return PROTOBUF in accept and form_of(accept).is_protobuf
    except NotAcceptable:
        return False


@lru_cache(maxsize=256)
def discovery_version(accept: str) -> str:
    """The version of aggregated discovery that is accepted first: "v2", "v2beta1" or "" (legacy)."""
    for alternative in accept.split(","):
        media, *parts = [part.strip() for part in alternative.split(";")]
        if media.lower() not in _PLAIN:
            continue
        words = dict(part.split("=", 1) for part in parts if "=" in part)
        if words.get("as") == "APIGroupDiscoveryList":
            if words.get("v") in ("v2", "v2beta1"):
                return words["v"]
            continue
        return ""
    return ""
