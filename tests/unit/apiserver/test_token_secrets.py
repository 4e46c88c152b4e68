"""Secrets that hold accounts' tokens are filled, count as long as both are there, and go with them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest_asyncio

from mizzen.apiserver.core import token_secrets as rules
from mizzen.apiserver.token_secrets import TokenSecrets
from mizzen.host.token_signer import ensure_key
from mizzen.store.memory import MemoryStore
from support.api_handlers import DEFAULT, NS, Api, an_api

ACCOUNTS, SECRETS = f"{DEFAULT}/serviceaccounts", f"{DEFAULT}/secrets"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
KIND = "kubernetes.io/service-account-token"
MERGE = "application/merge-patch+json"
ROBOT = "system:serviceaccount:default:robot"
DEADLINE_S = 10.0


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    ensure_key(tmp_path / "key")
    (tmp_path / "ca").write_text("authority")
    made = await an_api(
        MemoryStore(), service_account_key=tmp_path / "key", ca_file=tmp_path / "ca"
    )
    signer = made.server.token_signer
    assert signer is not None
    work = asyncio.create_task(TokenSecrets(made.server, signer).run())
    await made.call("POST", ACCOUNTS, {"metadata": {"name": "robot"}})
    yield made
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work


async def make(api: Api, name: str = "t", account: str = "robot", **rest: Any) -> None:
    notes = {"kubernetes.io/service-account.name": account, **rest.pop("annotations", {})}
    body = {"metadata": {"name": name, "annotations": notes}, "type": KIND, **rest}
    code, made = await api.call("POST", SECRETS, body)
    assert code == 201, made


async def until(api: Api, test: Callable[[int, Any], object], path: str = f"{SECRETS}/t") -> Any:
    made: tuple[int, Any] = (0, None)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DEADLINE_S):
            while True:
                made = await api.call("GET", path)
                if test(*made):
                    return made[1]
                await asyncio.sleep(0.005)
    raise AssertionError(f"not in time: {made}")


def is_filled(code: int, secret: Any) -> bool:
    return code == 200 and "token" in secret.get("data", {})


def is_gone(code: int, _: Any) -> bool:
    return code == 404


def token_of(secret: Any) -> str:
    return base64.b64decode(secret["data"]["token"]).decode()


async def review(api: Api, token: str) -> Any:
    return (await api.call("POST", REVIEWS, {"spec": {"token": token}}))[1]["status"]


async def test_a_secret_is_filled_and_its_token_counts(api: Api) -> None:
    await make(api, data={"more": "eA=="})
    made = await until(api, is_filled)
    data = {key: base64.b64decode(value).decode() for key, value in made["data"].items()}
    assert (data["ca.crt"], data["namespace"], data["more"]) == ("authority", "default", "x")
    _, account = await api.call("GET", f"{ACCOUNTS}/robot")
    uid = account["metadata"]["uid"]
    assert made["metadata"]["annotations"]["kubernetes.io/service-account.uid"] == uid
    status = await review(api, data["token"])
    assert status["user"] == {
        "username": ROBOT, "uid": uid,
        "groups": ["system:serviceaccounts", "system:serviceaccounts:default",
                   "system:authenticated"],
    }  # fmt: skip


async def test_the_day_of_its_last_use_is_noted_once_a_day(api: Api) -> None:
    await make(api)
    token = token_of(await until(api, is_filled))
    label = rules.LAST_USED
    for day in (rules.day_of(api.clock.ns), rules.day_of(api.clock.ns + 86_400 * NS)):
        assert (await review(api, token))["authenticated"]
        made = await until(api, lambda _, s, day=day: s["metadata"].get("labels") == {label: day})
        assert (await review(api, token))["authenticated"]
        await asyncio.sleep(0)
        _, again = await api.call("GET", f"{SECRETS}/t")
        assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
        api.clock.ns += 86_400 * NS


async def test_a_secret_goes_with_its_account_and_out_of_its_list(api: Api) -> None:
    await make(api)
    token = token_of(await until(api, is_filled))
    await api.call("PATCH", f"{ACCOUNTS}/robot", {"secrets": [{"name": "t"}, {"name": "u"}]},
                   content_type=MERGE)  # fmt: skip
    await api.call("DELETE", f"{SECRETS}/t")
    path = f"{ACCOUNTS}/robot"
    await until(api, lambda _, found: found["secrets"] == [{"name": "u"}], path)
    error = "[invalid bearer token, Token has been invalidated]"
    assert await review(api, token) == {"user": {}, "error": error}
    await make(api)
    await until(api, is_filled)
    await api.call("DELETE", path)
    await until(api, is_gone)


async def test_one_of_no_account_is_removed(api: Api) -> None:
    await make(api, account="nobody")
    await until(api, is_gone)
    await make(api, annotations={"kubernetes.io/service-account.uid": "another"})
    await until(api, is_gone)


async def test_a_token_that_is_replaced_or_marked_counts_for_nothing(api: Api) -> None:
    await make(api)
    token = token_of(await until(api, is_filled))
    marked = {"metadata": {"labels": {rules.INVALID_SINCE: "2026-01-01"}}}
    await api.call("PATCH", f"{SECRETS}/t", marked, content_type=MERGE)
    error = (await review(api, token))["error"]
    assert (
        "the token in secret default/t for service account default/robot has been marked" in error
    )
    unmarked = {"metadata": {"labels": None}, "data": {"token": None}}
    await api.call("PATCH", f"{SECRETS}/t", unmarked, content_type=MERGE)
    await until(api, is_filled)
    other = {"data": {"token": base64.b64encode(b"other").decode()}}
    await api.call("PATCH", f"{SECRETS}/t", other, content_type=MERGE)
    error = "[invalid bearer token, Token does not match server's copy]"
    assert await review(api, token) == {"user": {}, "error": error}


async def test_who_uses_a_token_that_was_made_of_its_own_accord_is_warned(api: Api) -> None:
    await make(api)
    token = token_of(await until(api, is_filled))

    async def warned(path: str) -> list[str]:
        made = await api.send("GET", path, headers={"authorization": f"Bearer {token}"})
        return [value for name, value in made.headers if name == "warning"]

    assert await warned("/api/v1/namespaces/default/pods") == []
    for secrets, expected in (([{"name": "t"}], [f'299 - "{rules.GENERATED}"']), ([], [])):
        body = {"secrets": secrets}
        await api.call("PATCH", f"{ACCOUNTS}/robot", body, content_type=MERGE)
        for path in ("/version", "/api/v1/namespaces/default/pods", "/apis/nothing/v1/here"):
            assert await warned(path) == expected, path


async def test_an_account_that_is_made_anew_is_another(api: Api) -> None:
    await make(api)
    secret = await until(api, is_filled)
    claims = rules.Claims("default", "t", "robot", "old")
    account = {"metadata": {"uid": "new"}}
    said = rules.problem(claims, token_of(secret), secret, account)
    assert said == "ServiceAccount UID (new) does not match claim (old)"
    assert (
        rules.problem(claims, token_of(secret), secret, None) == 'serviceaccounts "robot" not found'
    )


async def test_what_cannot_be_changed_is_left_alone(api: Api) -> None:
    _, account = await api.call("GET", f"{ACCOUNTS}/robot")
    secret = {"metadata": {"name": "t", "namespace": "default"}, "type": KIND, "immutable": True}
    assert rules.filled(secret, account, "authority", lambda _: "token") is None


def test_a_token_says_all_or_nothing() -> None:
    claim = "kubernetes.io/serviceaccount/"
    said = {"sub": "system:serviceaccount:n:a", f"{claim}namespace": "n",
            f"{claim}secret.name": "s", f"{claim}service-account.name": "a",
            f"{claim}service-account.uid": "u"}  # fmt: skip
    assert rules.claims_of(said) == rules.Claims("n", "s", "a", "u")
    assert rules.claims_of({**said, "sub": "system:serviceaccount:n:b"}) is None
    assert rules.claims_of({**said, f"{claim}secret.name": ""}) is None
