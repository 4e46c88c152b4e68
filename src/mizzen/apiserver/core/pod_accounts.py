"""What a pod gets of its ServiceAccount, and what the account allows it.

Source: plugin/pkg/admission/serviceaccount/admission.go, Kubernetes 1.36. The name of the volume that
upstream draws by chance follows from the account here, so that pods of one template stay equal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mizzen.base.objects import Obj
from mizzen.base.reading import entries, field, part, text
from mizzen.base.service_accounts import MOUNT_PATH, ROOT_CA, WARNED_LIFE_S

MIRROR = "kubernetes.io/config.mirror"
_ENFORCE = "kubernetes.io/enforce-mountable-secrets"
_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))  # Go's strconv.ParseBool
_LISTS = ("initContainers", "containers")
_EPHEMERAL = ("ephemeralContainers",)
_WORDS = {"initContainers": "init container", "containers": "container",
          "ephemeralContainers": "ephemeral container"}  # fmt: skip
_VOLUME = "kube-api-access-"
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # those of generated names
_LETTERS_N = 5


@dataclass(frozen=True, slots=True)
class Account:
    """What pods need of a ServiceAccount."""

    name: str
    pull_secrets: tuple[str, ...]
    mountable: frozenset[str] | None  # secrets; None: any
    is_mounted: bool  # its token, in pods that say nothing
    volume: str  # the name of the volume with its token


def account_of(obj: Obj) -> Account:
    metadata = obj["metadata"]
    is_enforced = text(part(metadata, "annotations"), _ENFORCE) in _TRUE
    secrets = frozenset(text(each, "name") for each in entries(obj, "secrets"))
    return Account(
        metadata["name"],
        tuple(text(each, "name") for each in entries(obj, "imagePullSecrets")),
        secrets if is_enforced else None,
        field(obj, "automountServiceAccountToken") is not False,
        _VOLUME + _suffix(f"{metadata['namespace']}/{metadata['name']}"),
    )


def _suffix(account: str) -> str:
    number = int.from_bytes(hashlib.sha256(account.encode()).digest()[:8])
    letters: list[str] = []
    for _ in range(_LETTERS_N):
        number, index = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[index])
    return "".join(letters)


def mount_token(spec: Obj, account: Account) -> None:
    """Shows the account's token to every container that has nothing else in its place, unless pod
    or account wants none."""
    wanted = spec.get("automountServiceAccountToken")
    if not (account.is_mounted if wanted is None else wanted):
        return
    name = ""
    for volume in spec.get("volumes") or ():
        if volume["name"].startswith(_VOLUME):
            name = volume["name"]
            break
    is_used = False
    for field_name in _LISTS:
        for container in spec.get(field_name) or ():
            mounts: list[Obj] = container.get("volumeMounts") or []
            if all(each.get("mountPath") != MOUNT_PATH for each in mounts):
                mount = {"name": name or account.volume, "readOnly": True, "mountPath": MOUNT_PATH}
                container["volumeMounts"] = [*mounts, mount]
                is_used = True
    if is_used and not name:
        spec["volumes"] = [*(spec.get("volumes") or ()), _volume(account.volume)]


def _volume(name: str) -> Obj:
    token = {"expirationSeconds": WARNED_LIFE_S, "path": "token"}
    authority = {"name": ROOT_CA, "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    namespace = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    files = {"items": [{"path": "namespace", "fieldRef": namespace}]}
    sources = [{"serviceAccountToken": token}, {"configMap": authority}, {"downwardAPI": files}]
    return {"name": name, "projected": {"sources": sources, "defaultMode": 0o644}}


def mirror_problem(spec: Obj) -> str:
    """Why a mirror pod is refused, "" where it is not."""
    if spec.get("serviceAccountName"):
        return "a mirror pod may not reference service accounts"
    if next(_secrets(spec, (*_LISTS, *_EPHEMERAL)), None) is not None or spec.get(
        "imagePullSecrets"
    ):
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
    if problem := _unreferenced(spec, _LISTS, account):
        return problem
    for index, each in enumerate(entries(spec, "imagePullSecrets")):
        name = text(each, "name")
        if name not in account.pull_secrets:
            return (
                f'imagePullSecrets[{index}].name="{name}" is not allowed because service account '
                f"{account.name} does not reference that imagePullSecret"
            )
    return ""


def ephemeral_problem(spec: Obj, account: Account) -> str:
    """Why a pod may not get the ephemeral containers that it wants, "" where it may."""
    return "" if account.mountable is None else _unreferenced(spec, _EPHEMERAL, account)


def _unreferenced(spec: Obj, lists: Sequence[str], account: Account) -> str:
    for secret, words in _secrets(spec, lists):
        if secret not in (account.mountable or ()):
            return f"{words} is not allowed because service account {account.name} does not reference that secret"
    return ""


def _secrets(spec: Obj, lists: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The names of secrets in volumes and variables, each with upstream's words for where."""
    for volume in entries(spec, "volumes") if lists != _EPHEMERAL else ():
        name = text(part(volume, "secret"), "secretName")
        if name:
            yield name, f'volume with secret.secretName="{name}"'
    for field_name in lists:
        for container in entries(spec, field_name):
            at = f"{_WORDS[field_name]} {container['name']} with"
            for each in entries(container, "env"):
                name = text(part(each, "valueFrom", "secretKeyRef"), "name")
                if name:
                    variable = text(each, "name")
                    yield name, f'{at} envVar {variable} referencing secret.secretName="{name}"'
            for each in entries(container, "envFrom"):
                name = text(part(each, "secretRef"), "name")
                if name:
                    yield name, f'{at} envFrom referencing secret.secretName="{name}"'
