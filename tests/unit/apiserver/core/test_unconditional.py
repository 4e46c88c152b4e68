"""Some objects are replaced only by who has seen them."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.apiserver.core.unconditional import needs_revision
from mizzen.base.resources import PODS, Resource
from mizzen.store.memory import MemoryStore
from support.api_handlers import DEFAULT, an_api

LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"


@pytest.mark.parametrize(
    ("path", "body", "plural"),
    [
        (LEASES, {"spec": {"holderIdentity": "a"}}, "leases.coordination.k8s.io"),
        (BUDGETS, {"spec": {"minAvailable": 1}}, "poddisruptionbudgets.policy"),
    ],
)
async def test_an_update_that_names_no_version_is_refused(
    path: str, body: dict[str, Any], plural: str
) -> None:
    api = await an_api(MemoryStore())
    body = {"metadata": {"name": "x"}, **body}
    status, made = await api.call("POST", path, body)
    assert status == 201, made
    status, told = await api.call("PUT", f"{path}/x", body)
    assert (status, told["message"]) == (
        422,
        f'{plural} "x" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified '
        "for an update",
    )
    assert (await api.call("PUT", f"{path}/x", made))[0] == 200


async def test_a_config_map_may_be_replaced_unseen() -> None:
    api = await an_api(MemoryStore())
    body = {"metadata": {"name": "x"}}
    assert (await api.call("POST", f"{DEFAULT}/configmaps", body))[0] == 201
    assert (await api.call("PUT", f"{DEFAULT}/configmaps/x", body))[0] == 200


def test_custom_kinds_are_never_replaced_unseen() -> None:
    assert needs_revision(Resource("a.b", "v1", "cs", "C", namespaced=True), is_builtin=False)
    assert not needs_revision(PODS, is_builtin=True)


async def test_an_update_makes_what_is_missing_of_some_kinds() -> None:
    api = await an_api(MemoryStore())
    body = {"metadata": {"name": "x", "resourceVersion": "5"}, "spec": {"holderIdentity": "a"}}
    status, made = await api.call("PUT", f"{LEASES}/x", body)
    assert status == 201, made
    assert made["metadata"]["uid"]
    assert made["metadata"]["resourceVersion"] != "5"
    status, told = await api.call("PUT", f"{LEASES}/y", body)
    assert (status, told["message"]) == (
        400,
        "the name of the object (x) does not match the name on the URL (y)",
    )
    status, _ = await api.call("PUT", f"{DEFAULT}/configmaps/x", {"metadata": {"name": "x"}})
    assert status == 404


@pytest.mark.parametrize("is_there", [False, True])
async def test_an_update_names_the_uid_of_what_it_replaces(is_there: bool) -> None:
    api = await an_api(MemoryStore())
    found = ""
    if is_there:
        status, made = await api.call("POST", LEASES, {"metadata": {"name": "x"}})
        assert status == 201
        found = made["metadata"]["uid"]
    body = {"metadata": {"name": "x", "uid": "other", "resourceVersion": "1"}}
    status, told = await api.call("PUT", f"{LEASES}/x", body)
    assert (status, told["message"]) == (
        409,
        'Operation cannot be fulfilled on leases.coordination.k8s.io "x": StorageError: invalid '
        "object, Code: 4, Key: /registry/leases/default/x, ResourceVersion: 0, AdditionalErrorMsg: "
        f"Precondition failed: UID in precondition: other, UID in object meta: {found}",
    )
