"""Requests are approved, signed and removed, each when it is due."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from mizzen.apiserver.certificate_signer import CertificateSigner
from mizzen.host import pki
from mizzen.host.certificate_authority import CertificateAuthority
from mizzen.host.home import Home
from mizzen.store.memory import MemoryStore
from support.api_handlers import NS, Api
from support.certificate_cases import (
    CLIENT,
    GOOD,
    KUBELET_CLIENT,
    OTHER,
    REQUESTS,
    pem_request,
    wish,
)

MERGE = "application/merge-patch+json"


class Signing:
    def __init__(self, folder: Path) -> None:
        self.api = Api(MemoryStore())
        home = Home.locate(str(folder), {})
        home.make()
        pki.ensure(home, self.api.clock, listen="127.0.0.1", port=1)
        authority = CertificateAuthority(home.pki / "ca.key", home.pki / "ca.crt")
        self._signer = CertificateSigner(self.api.server, authority)

    async def make(self, body: dict[str, Any]) -> None:
        code, answer = await self.api.call("POST", REQUESTS, body)
        assert code == 201, answer

    async def approve(self, name: str) -> None:
        status = {"status": {"conditions": [{"type": "Approved", "status": "True"}]}}
        path = f"{REQUESTS}/{name}/approval"
        code, answer = await self.api.call("PATCH", path, status, content_type=MERGE)
        assert code == 200, answer

    async def handled(self, name: str) -> Any:
        """The status once it was handled; None where it is gone."""
        await self._signer.handle(name)
        code, answer = await self.api.call("GET", f"{REQUESTS}/{name}")
        return answer["status"] if code == 200 else None


def test_what_is_approved_is_signed_by_the_signer_it_names(tmp_path: Path) -> None:
    async def run() -> None:
        signing = Signing(tmp_path)
        for name, signer in (("ours", CLIENT), ("others", OTHER)):
            await signing.make(wish(GOOD, signer, name=name))
            assert await signing.handled(name) == {}
            await signing.approve(name)
        assert (await signing.handled("ours"))["certificate"]
        assert "certificate" not in await signing.handled("others")
        signing.api.clock.ns += 3601 * NS
        assert await signing.handled("ours") is None
        assert await signing.handled("others") is not None

    asyncio.run(run())


def test_a_kubelets_request_is_approved_and_signed_at_once(tmp_path: Path) -> None:
    async def run() -> None:
        signing = Signing(tmp_path)  # its user is a master, who may ask for any node's
        node = pem_request("system:node:n1", ["system:nodes"])
        await signing.make(wish(node, KUBELET_CLIENT, name="node"))
        (condition,) = (await signing.handled("node"))["conditions"]
        assert (condition["type"], condition["reason"]) == ("Approved", "AutoApproved")
        assert (await signing.handled("node"))["certificate"]

    asyncio.run(run())


def test_what_a_signer_does_not_sign_has_failed(tmp_path: Path) -> None:
    async def run() -> None:
        signing = Signing(tmp_path)
        await signing.make(wish(GOOD, CLIENT, ("server auth",), name="bad"))
        await signing.approve("bad")
        _, failed = (await signing.handled("bad"))["conditions"]
        assert (failed["type"], failed["reason"]) == ("Failed", "SignerValidationFailure")
        assert failed["message"] == "invalid usage for client certificate: server auth"

    asyncio.run(run())
