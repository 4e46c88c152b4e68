"""ConversionReviews (apiextensions.k8s.io): what a webhook is to convert, and what it answers.

Source: apiextensions `conversion/webhook_converter.go`, v0.36.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import orjson

from mizzen.base.objects import Obj
from mizzen.base.reading import entries, part, text
from mizzen.kinds.names import check_annotations, check_labels

GROUP = "apiextensions.k8s.io"
_KNOWN = ("v1", "v1beta1")
_GO_TYPES = ("map[string]interface {}", "[]interface {}")
_MAY_CHANGE = ("labels", "annotations")  # of an object's metadata


class ConversionFailed(Exception):
    """A webhook that could not be asked, or whose answer is none."""


def kind_text(obj: Obj) -> str:
    """What is converted, as errors have it."""
    return f"{obj.get('apiVersion') or ''}, Kind={obj.get('kind') or ''}"


def review_version(known: Sequence[str]) -> str:
    """The first version of ConversionReview that both sides know. Errors: ConversionFailed."""
    for version in known:
        if version in _KNOWN:
            return version
    raise ConversionFailed("no supported conversion review versions")


def review(version: str, objects: Sequence[Obj], api_version: str, uid: str) -> bytes:
    """The request of these objects, which are all in other versions than the wanted one."""
    request = {"uid": uid, "desiredAPIVersion": api_version, "objects": objects}
    kind = {"kind": "ConversionReview", "apiVersion": f"{GROUP}/{version}"}
    return orjson.dumps({**kind, "request": request})


def read_converted(
    answer: bytes, version: str, objects: Sequence[Obj], api_version: str, uid: str
) -> list[Obj]:
    """The objects in the wanted version, in order. Errors: ConversionFailed."""
    what = kind_text(objects[0])
    try:
        found = _objects(answer, version, uid)
    except ConversionFailed as error:
        raise ConversionFailed(f"conversion webhook for {what} failed: {error}") from error
    if len(found) != len(objects):
        raise ConversionFailed(
            f"conversion webhook for {what} returned {len(found)} objects, expected {len(objects)}"
        )
    return [_checked(*each, api_version) for each in zip(objects, found, strict=True)]


def _objects(answer: bytes, version: str, uid: str) -> list[Any]:
    """Errors: ConversionFailed."""
    try:
        told: Any = orjson.loads(answer)
    except orjson.JSONDecodeError as error:
        raise ConversionFailed(f"couldn't get version/kind; json parse error: {error}") from error
    whole = part({"review": told}, "review")
    response = part(whole, "response")
    if version == "v1":
        found = f"{text(whole, 'apiVersion')}, Kind={text(whole, 'kind')}"
        wanted = f"{GROUP}/v1, Kind=ConversionReview"
        if found == f"{GROUP}/v1beta1, Kind=ConversionReview":
            raise ConversionFailed(
                "converting (v1beta1.ConversionReview) to (v1.ConversionReview): unknown conversion"
            )
        if found != wanted:
            raise ConversionFailed(f"expected webhook response of {wanted}, got {found}")
    if not response:
        raise ConversionFailed("no response provided")
    if version == "v1" and response.get("uid") != uid:
        got = orjson.dumps(text(response, "uid")).decode()
        raise ConversionFailed(f'expected response.uid="{uid}", got {got}')
    result = part(response, "result")
    if result.get("status") != "Success":
        status = text(result, "status")
        said = text(result, "message") or f"response.result.status was '{status}', not 'Success'"
        raise ConversionFailed(said)
    return entries(response, "convertedObjects")


def _checked(obj: Obj, made: Any, api_version: str) -> Obj:
    """What the webhook made of an object, with the object's own metadata but for labels and
    annotations. Errors: ConversionFailed, in the words for a single object."""
    webhook = f"conversion webhook for {kind_text(obj)} returned invalid"
    if not isinstance(made, dict):
        raise ConversionFailed(f"{webhook} object at index 0: it is no object")
    new = cast("Obj", made)
    version, kind = new.get("apiVersion") or "", new.get("kind") or ""
    if version != api_version:
        said = f"invalid groupVersion (expected {api_version}, received {version})"
        raise ConversionFailed(f"{webhook} object at index 0: {said}")
    if kind != obj["kind"]:
        said = f"invalid kind (expected {obj['kind']}, received {kind})"
        raise ConversionFailed(f"{webhook} object at index 0: {said}")
    old, told = obj["metadata"], part(new, "metadata")
    for name, shown in (("name", "name"), ("namespace", "namespace"), ("uid", "UID")):
        was, is_now = old.get(name) or "", told.get(name) or ""
        if was != is_now:
            said = f"must have the same {shown}: {was} != {is_now}"
            raise ConversionFailed(f"{webhook} object: {said}")
    try:
        return {**new, "metadata": _metadata(old, new.get("metadata"))}
    except ConversionFailed as error:
        raise ConversionFailed(f"{webhook} metadata: {error}") from error


def _metadata(old: Obj, told: Any) -> Obj:
    """Errors: ConversionFailed."""
    if told is None:
        raise ConversionFailed("missing metadata in converted object")
    metadata = {name: value for name, value in old.items() if name not in _MAY_CHANGE}
    for name, path, check in (
        ("labels", "metadata.labels", check_labels),
        ("annotations", "metadata.annotation", check_annotations),
    ):
        given = part({"metadata": told}, "metadata").get(name)
        if given is None:
            continue
        if not isinstance(given, dict):
            raise ConversionFailed(
                f"invalid metadata.{name} of type {_go_type(given)} in converted object"
            )
        words = cast("Obj", given)
        for key, value in words.items():
            if not isinstance(value, str):
                raise ConversionFailed(
                    f"metadata.{name}[{key}] must be a string, but is {_go_type(value)} in "
                    "converted object"
                )
        if words != (old.get(name) or {}):
            problems = check(words, path)
            if problems:
                raise ConversionFailed("; ".join(f"{p.field}: {p.message}" for p in problems))
        metadata[name] = words
    return metadata


def _go_type(value: Any) -> str:
    """As upstream names the type of a JSON value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int64"
    if isinstance(value, float):
        return "float64"
    if value is None:
        return "<nil>"
    return "string" if isinstance(value, str) else _GO_TYPES[isinstance(value, list)]
