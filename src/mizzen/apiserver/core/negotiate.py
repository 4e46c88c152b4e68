"""Negotiates the form of an answer from the Accept header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from mizzen.apiserver.core import media_types
from mizzen.base.errors import NotAcceptable


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
_IN_PROTOBUF, _IN_YAML = Form(is_protobuf=True), Form(is_yaml=True)


@lru_cache(maxsize=256)
def form_of(accept: str, *, transforms: bool = True) -> Form:
    """The first acceptable alternative of an Accept header; JSON before protobuf, for objects are
    stored as JSON, and to write them otherwise costs more than reading them saves.

    `transforms`: there are other shapes than the object's own. Errors: NotAcceptable when only
    encodings are accepted that are not served. Source: apiserver `handlers/negotiation`.
    """
    if not accept:
        return PLAIN
    in_protobuf = False
    for clause in media_types.clauses(accept):
        for media in _MEDIA:
            if not clause.takes(media):
                continue
            form = _form(clause.params, media, transforms)
            if form is None:
                continue
            if not form.is_protobuf:
                return form
            in_protobuf = True
    if in_protobuf:
        return _IN_PROTOBUF
    raise none_acceptable()


def none_acceptable() -> NotAcceptable:
    return NotAcceptable(f"only the following media types are accepted: {', '.join(_MEDIA)}")


def _form(params: Mapping[str, str], media: str, transforms: bool) -> Form | None:
    """None where an alternative asks for what there is not."""
    if params.get("stream") and (params["stream"] != "watch" or media == YAML):
        return None
    if params.get("sv", "v1") not in ("", "v1"):
        return None
    if not params.keys() & {"as", "g", "v"}:
        return {PROTOBUF: _IN_PROTOBUF, YAML: _IN_YAML}.get(media, PLAIN)
    asked, version = params.get("as", ""), params.get("v", "")
    shape = "PartialObjectMetadata" if asked == "PartialObjectMetadataList" else asked
    is_known = shape in ("Table", "PartialObjectMetadata") and version in ("v1", "v1beta1")
    if not (transforms and is_known and params.get("g") == "meta.k8s.io") or media == PROTOBUF:
        return None
    return Form(shape, version, of_list=shape != asked, is_yaml=media == YAML)


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
    """True if a client is to be answered with objects as they are, in JSON, and any route has that."""
    try:
        if form_of(accept) is not PLAIN:
            return False
        if accept:
            check_media(accept, is_list=False, served=_MEDIA[:1])
    except NotAcceptable:
        return False
    return True


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


@lru_cache(maxsize=256)
def discovery_version(accept: str) -> str:
    """The version of aggregated discovery that is accepted first: "v2", or "" (legacy)."""
    for clause in media_types.clauses(accept):
        if not clause.takes("application/json"):
            continue
        wanted = [clause.params.get(name) for name in ("as", "g", "v")]
        if wanted == ["APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2"]:
            return "v2"
        if not any(wanted):
            return ""
    return ""
