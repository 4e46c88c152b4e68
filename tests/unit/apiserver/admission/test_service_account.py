"""A pod's ServiceAccount must be there, gives it a token and pull secrets, and may bound its secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mizzen.base.service_accounts import MOUNT_PATH
from mizzen.base.versions import EffectiveVersion, allowed
from mizzen.host.token_signer import ensure_key
from mizzen.store.memory import MemoryStore
from support.api_handlers import DEFAULT, Api, an_api

ENFORCE = {"kubernetes.io/enforce-mountable-secrets": "true"}
MIRROR = {"kubernetes.io/config.mirror": "x"}


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> Api:
    ensure_key(tmp_path / "key")
    made = await an_api(MemoryStore(), service_account_key=tmp_path / "key")
    for name, extra in (
        ("pulls", {"imagePullSecrets": [{"name": "registry"}]}),
        ("shy", {"automountServiceAccountToken": False}),
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


def mounts(container: dict[str, Any]) -> list[str]:
    return [each["mountPath"] for each in container.get("volumeMounts", [])]


async def test_every_container_is_shown_the_token(api: Api) -> None:
    own = {"name": "own", "image": "i", "volumeMounts": [{"name": "v", "mountPath": MOUNT_PATH}]}
    other = {"name": "o", "image": "i", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    spec = {"containers": [{"name": "c", "image": "i"}, other, own],
            "initContainers": [{"name": "i", "image": "i"}],
            "volumes": [{"name": "v", "emptyDir": {}}]}  # fmt: skip
    body = {"metadata": {"name": "p"}, "spec": spec}
    response = await api.send("POST", f"{DEFAULT}/pods?dryRun=All", body)
    assert response.status == 201 and "warning" not in {k.lower() for k, _ in response.headers}
    _, made = await api.call("POST", f"{DEFAULT}/pods?dryRun=All", body)
    volume = made["spec"]["volumes"][1]
    assert volume["name"].startswith("kube-api-access-") and len(volume["name"]) == 21
    token, authority, files = volume["projected"]["sources"]
    assert token == {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}
    assert authority["configMap"]["name"] == "kube-root-ca.crt"
    assert files["downwardAPI"]["items"][0]["fieldRef"]["fieldPath"] == "metadata.namespace"
    assert volume["projected"]["defaultMode"] == 0o644
    both = [*made["spec"]["initContainers"], *made["spec"]["containers"]]
    wanted = [[MOUNT_PATH], [MOUNT_PATH], ["/v", MOUNT_PATH], [MOUNT_PATH]]
    assert [mounts(each) for each in both] == wanted
    shown = {"name": volume["name"], "readOnly": True, "mountPath": MOUNT_PATH}
    assert both[1]["volumeMounts"] == [shown] and both[3]["volumeMounts"][0]["name"] == "v"


async def test_pods_of_one_account_have_equal_volumes_others_not(api: Api) -> None:
    names: list[str] = []
    for account in ("default", "default", "pulls"):
        _, made = await make(api, serviceAccountName=account)
        names.append(made["spec"]["volumes"][0]["name"])
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize(
    ("account", "wish", "is_shown"),
    [("default", None, True), ("default", False, False), ("shy", None, False), ("shy", True, True)],
)
async def test_the_pods_own_word_wins_over_its_accounts(
    api: Api, account: str, wish: bool | None, is_shown: bool
) -> None:
    said = {} if wish is None else {"automountServiceAccountToken": wish}
    _, made = await make(api, serviceAccountName=account, **said)
    assert ("volumes" in made["spec"]) is is_shown
    assert bool(mounts(made["spec"]["containers"][0])) is is_shown


async def test_a_volume_of_that_name_is_taken_and_none_is_added_for_nobody(api: Api) -> None:
    volume = {"name": "kube-api-access-mine", "emptyDir": {}}
    _, made = await make(api, volumes=[volume])
    assert [each["name"] for each in made["spec"]["volumes"]] == [volume["name"]]
    assert made["spec"]["containers"][0]["volumeMounts"][0]["name"] == volume["name"]
    own = {"volumeMounts": [{"name": "v", "mountPath": MOUNT_PATH}]}
    _, made = await make(api, container=own, volumes=[{"name": "v", "emptyDir": {}}])
    assert len(made["spec"]["volumes"]) == 1


async def test_a_server_shows_none_that_signs_none_or_may_be_rolled_back(tmp_path: Path) -> None:
    ensure_key(tmp_path / "key")
    old = EffectiveVersion(allowed()[0])
    for config in ({}, {"service_account_key": tmp_path / "key", "version": old}):
        _, made = await make(await an_api(MemoryStore(), **config))
        assert "volumes" not in made["spec"]


async def test_ephemeral_containers_are_bounded_as_others(api: Api) -> None:
    body = {"metadata": {"name": "p"},
            "spec": {"containers": [{"name": "c", "image": "i"}],
                     "serviceAccountName": "bound"}}  # fmt: skip
    assert (await api.call("POST", f"{DEFAULT}/pods", body))[0] == 201
    path, kind = f"{DEFAULT}/pods/p/ephemeralcontainers", "application/strategic-merge-patch+json"
    for secret, wanted in (("other", 500), ("mine", 200)):
        debugger = {"name": "d", "image": "i", **of_secret(secret)}
        change = json.dumps({"spec": {"ephemeralContainers": [debugger]}}).encode()
        code, answer = await api.call("PATCH", path, change, content_type=kind)
        assert code == wanted, answer
        if code == 500:
            assert (
                'ephemeral container d with envVar V referencing secret.secretName="other" is not '
                "allowed because service account bound does not reference that secret"
            ) in answer["message"]


async def test_the_next_pod_of_a_template_has_what_its_account_says_by_then(api: Api) -> None:
    body = {
        "metadata": {"generateName": "p-"},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }

    async def volumes() -> int:
        code, made = await api.call("POST", f"{DEFAULT}/pods", body)
        assert code == 201, made
        return len(made["spec"].get("volumes", ()))

    assert [await volumes() for _ in range(4)] == [1, 1, 1, 1]
    for wish, number in ((False, 0), (True, 1)):
        change = {"automountServiceAccountToken": wish}
        kind = "application/merge-patch+json"
        await api.call("PATCH", f"{DEFAULT}/serviceaccounts/default", change, content_type=kind)
        assert [await volumes() for _ in range(4)] == [number] * 4
