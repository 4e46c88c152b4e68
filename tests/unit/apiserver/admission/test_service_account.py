"""A pod's ServiceAccount must be there, gives it pull secrets, and may bound which secrets it has."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from mizzen.store.memory import MemoryStore
from support.api_handlers import DEFAULT, Api, an_api

ENFORCE = {"kubernetes.io/enforce-mountable-secrets": "true"}
MIRROR = {"kubernetes.io/config.mirror": "x"}


@pytest_asyncio.fixture
async def api() -> Api:
    made = await an_api(MemoryStore())
    for name, extra in (
        ("pulls", {"imagePullSecrets": [{"name": "registry"}]}),
        ("bound", {"secrets": [{"name": "mine"}]}),
    ):
        notes = ENFORCE if name == "bound" else {}
        body = {"metadata": {"name": name, "annotations": notes}, **extra}
        assert (await made.call("POST", f"{DEFAULT}/serviceaccounts", body))[0] == 201
    return made


async def make(api: Api, annotations: dict[str, str] | None = None, **spec: Any) -> tuple[int, Any]:
    whole = {"containers": [{"name": "c", "image": "i", **spec.pop("container", {})}], **spec}
    body = {"metadata": {"generateName": "p-", "annotations": annotations or {}}, "spec": whole}
    return await api.call("POST", f"{DEFAULT}/pods?dryRun=All", body)


async def test_an_account_that_is_missing_is_named(api: Api) -> None:
    code, made = await make(api)
    assert (code, made["spec"]["serviceAccountName"]) == (201, "default")
    code, answer = await make(api, serviceAccountName="robot")
    assert code == 403
    why = 'error looking up service account default/robot: serviceaccount "robot" not found'
    assert answer["message"].endswith(why)


async def test_pull_secrets_are_the_accounts_unless_the_pod_has_its_own(api: Api) -> None:
    _, made = await make(api, serviceAccountName="pulls")
    assert made["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    _, made = await make(api, serviceAccountName="pulls", imagePullSecrets=[{"name": "own"}])
    assert made["spec"]["imagePullSecrets"] == [{"name": "own"}]
    changed = b'{"imagePullSecrets": [{"name": "new"}]}'
    kind = "application/merge-patch+json"
    await api.call("PATCH", f"{DEFAULT}/serviceaccounts/pulls", changed, content_type=kind)
    _, made = await make(api, serviceAccountName="pulls")
    assert made["spec"]["imagePullSecrets"] == [{"name": "new"}]


def of_secret(name: str) -> dict[str, Any]:
    reference = {"secretKeyRef": {"name": name, "key": "k"}}
    return {"env": [{"name": "V", "valueFrom": reference}]}


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"container": of_secret("mine")}, ""),
        ({"container": of_secret("other")}, "container c with envVar V referencing secret"),
        (
            {"container": {"envFrom": [{"secretRef": {"name": "other"}}]}},
            "container c with envFrom referencing secret",
        ),
        (
            {"volumes": [{"name": "v", "secret": {"secretName": "other"}}]},
            'volume with secret.secretName="other" is not allowed',
        ),
        ({"imagePullSecrets": [{"name": "r"}]}, 'imagePullSecrets[0].name="r" is not allowed'),
    ],
)
async def test_an_account_may_bound_its_pods_secrets(
    api: Api, spec: dict[str, Any], why: str
) -> None:
    code, answer = await make(api, serviceAccountName="bound", **spec)
    assert code == (403 if why else 201)
    assert not why or why in answer["message"]


async def test_a_mirror_pod_has_neither_account_nor_secrets(api: Api) -> None:
    code, made = await make(api, MIRROR)
    assert code == 201 and "serviceAccountName" not in made["spec"]
    code, answer = await make(api, MIRROR, serviceAccountName="default")
    assert code == 403 and answer["message"].endswith("may not reference service accounts")
    code, answer = await make(api, MIRROR, container=of_secret("mine"))
    assert code == 403 and answer["message"].endswith("may not reference secrets")
