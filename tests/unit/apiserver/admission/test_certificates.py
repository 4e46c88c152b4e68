"""Who asks for a certificate is who asks; approval and signing are apart."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

from mizzen.store.memory import MemoryStore
from support import certificate_cases
from support.api_handlers import Api
from support.certificate_cases import CERTIFICATE, CLIENT, GOOD, OTHER, armoured, pem_request

REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
MERGE = "application/merge-patch+json"
SIGNED = base64.b64encode(armoured(CERTIFICATE, "CERTIFICATE")).decode()


def wish(**spec: Any) -> dict[str, Any]:
    return certificate_cases.wish(GOOD, OTHER, name="r", **spec)


def said(*types: str) -> dict[str, Any]:
    return {"status": {"conditions": [{"type": each, "status": "True"} for each in types]}}


async def patch(api: Api, below: str, body: dict[str, Any]) -> tuple[int, Any]:
    return await api.call("PATCH", f"{REQUESTS}/r{below}", body, content_type=MERGE)


def test_who_asks_is_stamped_and_a_request_stays_as_it_was_made() -> None:
    async def run() -> None:
        api = Api(MemoryStore())
        code, made = await api.call("POST", REQUESTS, wish(username="root", groups=["x"]))
        assert code == 201 and made["status"] == {}
        assert made["spec"]["username"] == "admin" and "x" not in made["spec"]["groups"]
        code, kept = await patch(api, "", {"spec": {"username": "root", "signerName": "a.b/c"}})
        assert (code, kept["spec"]) == (200, made["spec"])

    asyncio.run(run())


def test_approval_changes_conditions_alone_and_status_says_nothing_of_it() -> None:
    async def run() -> None:
        api = Api(MemoryStore())
        await api.call("POST", REQUESTS, wish())
        code, answer = await patch(api, "/status", said("Approved"))
        assert code == 422 and 'may not add a condition of type "Approved"' in answer["message"]
        body = said("Approved")
        body["status"]["certificate"] = SIGNED
        code, made = await patch(api, "/approval", body)
        assert code == 200 and set(made["status"]) == {"conditions"}
        (condition,) = made["status"]["conditions"]
        assert condition["lastUpdateTime"] and condition["lastTransitionTime"]
        code, answer = await patch(api, "/approval", said("Approved", "Denied"))
        assert code == 422 and "mutually exclusive" in answer["message"]
        code, answer = await patch(api, "/approval", said("Other"))
        assert code == 422 and 'may not remove a condition of type "Approved"' in answer["message"]
        code, made = await patch(api, "/status", {"status": {"certificate": SIGNED}})
        assert code == 200 and made["status"]["conditions"] == [condition]

    asyncio.run(run())


def test_a_request_says_what_for_and_by_whom() -> None:
    async def run() -> None:
        api = Api(MemoryStore())
        for spec, words in (
            ({"usages": []}, "spec.usages"),
            ({"usages": ["all"]}, "spec.usages[0]"),
            ({"signerName": "nobody"}, "spec.signerName"),
            ({"expirationSeconds": 599}, "spec.expirationSeconds"),
        ):
            code, answer = await api.call("POST", REQUESTS, wish(**spec))
            assert code == 422 and words in answer["message"], answer

    asyncio.run(run())


def test_nobody_becomes_a_master_by_a_certificate() -> None:
    async def run() -> None:
        api = Api(MemoryStore())
        masters = pem_request(groups=["system:masters"])
        for signer, expected in ((CLIENT, 403), (OTHER, 201)):
            body = certificate_cases.wish(masters, signer, name="m")
            code, answer = await api.call("POST", REQUESTS, body)
            assert code == expected, answer

    asyncio.run(run())
