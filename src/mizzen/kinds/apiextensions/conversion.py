"""How a definition says that its versions become each other, and which ones are stored.

Source: apiextensions `validation.go`: validateCustomResourceConversion,
ValidateCustomResourceDefinitionStoredVersions; v0.36.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj, has_condition
from mizzen.kinds import causes as words
from mizzen.kinds.reading import entries, part
from mizzen.kinds.webhook_clients import check_client, check_review_versions

_STRATEGIES = ("None", "Webhook")
REVIEW_VERSIONS = ("v1", "v1beta1")
_PATH = "spec.conversion"
_CLIENT = f"{_PATH}.webhookClientConfig"  # as upstream's internal type has it


def check_conversion(new: Obj, old: Obj | None) -> Iterator[Cause]:
    """Every cause to refuse `spec.conversion`."""
    conversion = part(new, "spec.conversion")
    webhook = part(conversion, "webhook")
    client, versions = part(webhook, "clientConfig"), entries(webhook, "conversionReviewVersions")
    strategy = conversion.get("strategy") or ""
    if conversion and not strategy:
        yield words.required(f"{_PATH}.strategy")
    elif conversion and strategy not in _STRATEGIES:
        yield words.unsupported(f"{_PATH}.strategy", strategy, _STRATEGIES)
    if strategy != "Webhook":
        what = "should not be set when strategy is not set to Webhook"
        if "clientConfig" in webhook:
            yield words.forbidden(_CLIENT, what)
        if versions:
            yield words.forbidden(f"{_PATH}.conversionReviewVersions", what)
        return
    if part(new, "spec").get("preserveUnknownFields"):
        what = "must be None if spec.preserveUnknownFields is true"
        yield words.invalid(f"{_PATH}.strategy", "Webhook", what)
    if "clientConfig" not in webhook:
        yield words.required(_CLIENT, "required when strategy is set to Webhook")
    else:
        yield from check_client(client, _CLIENT)
        if not _may_be_invalid(old):
            yield from _check_bundle(client)
    yield from _check_review_versions(versions, part(old, "spec.conversion.webhook") if old else {})


def check_stored_versions(definition: Obj) -> Iterator[Cause]:
    """Every cause to refuse `status.storedVersions`."""
    stored: list[str] = entries(definition, "status.storedVersions")
    path = "status.storedVersions"
    if not stored:
        yield words.invalid(path, stored or None, "must have at least one stored version")
        return
    left = set(stored)
    for version in entries(definition, "spec.versions"):
        name = version.get("name") or ""
        if version.get("storage") and name not in left:  # also of one that is named twice
            yield words.invalid(path, stored, f"must have the storage version {name}")
        left.discard(name)
    for index, name in enumerate(stored):
        if name in left:
            yield words.invalid(
                f"{path}[{index}]", name,
                f"missing from spec.versions; {name} was previously a storage version, and must "
                "remain in spec.versions until a storage migration ensures no data remains "
                f"persisted in {name} and removes {name} from status.storedVersions",
            )  # fmt: skip


def storage_version(definition: Obj) -> str:
    """The version that objects are stored in."""
    versions = entries(definition, "spec.versions")
    return next((each.get("name") or "" for each in versions if each.get("storage")), "")


def add_stored_version(definition: Obj) -> None:
    """Notes in place that objects will be stored in its storage version."""
    status = part(definition, "status")
    stored: list[str] = entries(status, "storedVersions")
    storage = storage_version(definition)
    if storage and storage not in stored:
        definition["status"] = {**status, "storedVersions": [*stored, storage]}


def _check_review_versions(versions: list[str], before: Obj) -> Iterator[Cause]:
    path = f"{_PATH}.conversionReviewVersions"
    if not versions:
        yield words.required(path)
        return
    yield from check_review_versions(versions, path)
    were: list[str] = entries(before, "conversionReviewVersions")
    if set(REVIEW_VERSIONS) & set(versions) or (were and not set(REVIEW_VERSIONS) & set(were)):
        return
    yield words.invalid(
        path, versions, f"must include at least one of {', '.join(REVIEW_VERSIONS)}"
    )


def _may_be_invalid(old: Obj | None) -> bool:
    """A bundle need not be right before the kind is served, nor where it was wrong before."""
    if old is None:
        return False
    if not has_condition(old, "Established"):
        return True
    client = part(old, "spec.conversion.webhook.clientConfig")
    return bool(client.get("caBundle")) and next(_check_bundle(client), None) is not None


def _check_bundle(client: Obj) -> Iterator[Cause]:
    bundle = client.get("caBundle") or ""
    if not bundle:
        return
    try:
        told = base64.b64decode(bundle, validate=True)
    except (binascii.Error, ValueError):
        return  # it is refused for its form
    if b"-----BEGIN CERTIFICATE-----" not in told:
        what = "unable to load root certificates: unable to parse bytes as PEM block"
        yield words.invalid(f"{_CLIENT}.caBundle", bundle, what)
