"""Negotiates the form of an answer from the Accept header."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from mizzen.base.errors import NotAcceptable

_PLAIN = ("application/json", "application/*", "*/*", "")


@dataclass(frozen=True, slots=True)
class Form:
    """`shape` is "" (the object), "Table" or "PartialObjectMetadata", `of_list` if that of lists."""

    shape: str = ""
    version: str = "v1"
    is_protobuf: bool = False
    of_list: bool = False
    is_yaml: bool = False

    def check_listing(self, *, is_list: bool, of: str) -> None:
        """Errors: NotAcceptable where the metadata of a list are asked for of something else, or
        the other way round. `of`: its type. Source: apiserver `handlers/response.go`."""
        if self.shape != "PartialObjectMetadata" or self.of_list == is_list:
            return
        asked, found = ("List", "not a list") if self.of_list else ("", "a list")
        raise NotAcceptable(
            f"you requested PartialObjectMetadata{asked}, but the requested object is {found} "
            f"(*{of})"
        )


PLAIN = Form()
PROTOBUF, YAML = "application/vnd.kubernetes.protobuf", "application/yaml"
_MEDIA = ("application/json", YAML, PROTOBUF)


@lru_cache(maxsize=256)
def form_of(accept: str) -> Form:
    """The first acceptable alternative of an Accept header; JSON before protobuf, for objects are
    stored as JSON, and to write them otherwise costs more than reading them saves.

    Errors: NotAcceptable when only encodings are accepted that are not served.
    """
    for alternative in accept.split(","):
        media, *parts = [part.strip() for part in alternative.split(";")]
        if media.lower() == YAML and not any(part.startswith("as=") for part in parts):
            return Form(is_yaml=True)
        if media.lower() not in _PLAIN:
            continue
        words = dict(part.split("=", 1) for part in parts if "=" in part)
        asked = words.get("as", "")
        shape = "PartialObjectMetadata" if asked == "PartialObjectMetadataList" else asked
        if not shape:
            return PLAIN
        version = words.get("v", "v1")
        known = shape in ("Table", "PartialObjectMetadata") and version in ("v1", "v1beta1")
        if known and words.get("g", "meta.k8s.io") == "meta.k8s.io":
            return Form(shape, version, of_list=shape != asked)
    for alternative in accept.split(","):
        media, *parts = [part.strip().lower() for part in alternative.split(";")]
        if media == PROTOBUF and not any(part.startswith("as=") for part in parts):
            return Form(is_protobuf=True)
    raise _no_other()


@lru_cache(maxsize=256)
def check_media(accept: str, *, is_list: bool, served: tuple[str, ...] = _MEDIA) -> None:
    """What upstream's router asks of a request for a built-in kind, or for what else it has a route,
    before anybody reads it.

    Errors: NotAcceptable. Source: go-restful, `route.go` (matchesAccept), jsr311.go.
    """
    named = {each.partition(";")[0].strip() for each in accept.split(",")}
    if named & {"*/*", *served}:
        return
    streams = [f"{media};stream=watch" for media in (_MEDIA[0], PROTOBUF)] if is_list else []
    available = ", ".join((*served, *streams))
    error = NotAcceptable(f"406: Not Acceptable\n\nAvailable representations: {available}")
    error.has_details = True
    raise error


@lru_cache(maxsize=256)
def takes_json(accept: str) -> bool:
    """True if a client is to be answered with objects as they are, in JSON."""
    try:
        return form_of(accept) is PLAIN
    except NotAcceptable:
        return False


@lru_cache(maxsize=256)
def takes_yaml(accept: str) -> bool:
    """True if a client is to be answered in YAML, errors too."""
    try:
        return YAML in accept and form_of(accept).is_yaml
    except NotAcceptable:
        return False


@lru_cache(maxsize=256)
def takes_protobuf_alone(accept: str) -> bool:
    """True if a client is to be answered in protobuf, errors too."""
    try:
        return PROTOBUF in accept and form_of(accept).is_protobuf
    except NotAcceptable:
        return False


def check_whole(accept: str) -> None:
    """Errors: NotAcceptable where an answer is accepted in other shapes alone."""
    if form_of(accept).shape:
        raise _no_other()


@lru_cache(maxsize=256)
def discovery_version(accept: str) -> str:
    """The version of aggregated discovery that is accepted first: "v2", or "" (legacy)."""
    for alternative in accept.split(","):
        media, *parts = [part.strip() for part in alternative.split(";")]
        if media.lower() not in _PLAIN:
            continue
        words = dict(part.split("=", 1) for part in parts if "=" in part)
        if words.get("as") == "APIGroupDiscoveryList":
            if words.get("v") == "v2" and words.get("g") == "apidiscovery.k8s.io":
                return "v2"
            continue
        return ""
    return ""


def _no_other() -> NotAcceptable:
    return NotAcceptable(f"only the following media types are accepted: {', '.join(_MEDIA)}")
