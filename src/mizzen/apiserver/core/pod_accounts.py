"""What a pod gets of its ServiceAccount, and what the account allows it.

Source: plugin/pkg/admission/serviceaccount/admission.go, Kubernetes 1.36. The volume with the
account's token that upstream adds is not among it: processes have no place to find it at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mizzen.base.objects import Obj
from mizzen.base.reading import entries, part, text

MIRROR = "kubernetes.io/config.mirror"
_ENFORCE = "kubernetes.io/enforce-mountable-secrets"
_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))  # Go's strconv.ParseBool
_LISTS = ("initContainers", "containers")


@dataclass(frozen=True, slots=True)
class Account:
    """What pods need of a ServiceAccount."""

    name: str
    pull_secrets: tuple[str, ...]
    mountable: frozenset[str] | None  # secrets; None: any


def account_of(obj: Obj) -> Account:
    metadata = obj["metadata"]
    is_enforced = text(part(metadata, "annotations"), _ENFORCE) in _TRUE
    secrets = frozenset(text(each, "name") for each in entries(obj, "secrets"))
    return Account(
        metadata["name"],
        tuple(text(each, "name") for each in entries(obj, "imagePullSecrets")),
        secrets if is_enforced else None,
    )


def mirror_problem(spec: Obj) -> str:
    """Why a mirror pod is refused, "" where it is not."""
    if spec.get("serviceAccountName"):
        return "a mirror pod may not reference service accounts"
    if next(_secrets(spec), None) is not None or spec.get("imagePullSecrets"):
        return "a mirror pod may not reference secrets"
    for volume in entries(spec, "volumes"):
        sources = entries(part(volume, "projected"), "sources")
        if any(each.get("serviceAccountToken") for each in sources):
            return "a mirror pod may not use ServiceAccountToken volume projections"
        if any(each.get("secret") for each in sources):
            return "a mirror pod may not reference secrets"
    return ""


def secrets_problem(spec: Obj, account: Account) -> str:
    """Why a pod may not have the secrets that it wants, "" where it may."""
    if account.mountable is None:
        return ""
    for secret, words in _secrets(spec):
        if secret not in account.mountable:
            return f"{words} is not allowed because service account {account.name} does not reference that secret"
    for index, each in enumerate(entries(spec, "imagePullSecrets")):
        name = text(each, "name")
        if name not in account.pull_secrets:
            return (
                f'imagePullSecrets[{index}].name="{name}" is not allowed because service account '
                f"{account.name} does not reference that imagePullSecret"
            )
    return ""


def _secrets(spec: Obj) -> Iterator[tuple[str, str]]:
    """The names of secrets in volumes and variables, each with upstream's words for where."""
    for volume in entries(spec, "volumes"):
        name = text(part(volume, "secret"), "secretName")
        if name:
            yield name, f'volume with secret.secretName="{name}"'
    for field, word in zip(_LISTS, ("init container", "container"), strict=True):
        for container in entries(spec, field):
            at = f"{word} {container['name']} with"
            for each in entries(container, "env"):
                name = text(part(each, "valueFrom", "secretKeyRef"), "name")
                if name:
                    variable = text(each, "name")
                    yield name, f'{at} envVar {variable} referencing secret.secretName="{name}"'
            for each in entries(container, "envFrom"):
                name = text(part(each, "secretRef"), "name")
                if name:
                    yield name, f'{at} envFrom referencing secret.secretName="{name}"'
