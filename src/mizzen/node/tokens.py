"""Tokens of pods' own ServiceAccounts: asked for as volumes want them, renewed before they end.

Source: kubelet's pkg/kubelet/token: at four fifths of its life, or after a day, a token is renewed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping

import orjson

from mizzen.base.clock import Clock
from mizzen.base.errors import ApiError, BadRequest, Forbidden, Invalid, NotFound
from mizzen.base.objects import Obj, namespace_of, uid_of
from mizzen.base.reading import text
from mizzen.base.resources import SERVICE_ACCOUNTS
from mizzen.client.client import Client
from mizzen.host import private
from mizzen.node.core.environment import Unresolved
from mizzen.node.core.projection import OWNER_MODE, UNFINISHED, TokenWish, token_wishes
from mizzen.node.slot import Slot

RENEWED_AT = 0.8  # of its life
RENEWED_S_MAX = 24 * 60 * 60
LOOK_S = 30.0
_NS = 1_000_000_000
_log = logging.getLogger(__name__)


class PodTokens:
    """Follows the slots of one agent."""

    def __init__(self, client: Client, clock: Clock, slots: Mapping[str, Slot]) -> None:
        self._client = client
        self._clock = clock
        self._slots = slots
        self._due: dict[str, int] = {}  # pod uid -> when its tokens are renewed, ns

    async def read(self, pod: Obj) -> dict[TokenWish, str]:
        """A new token for each wish of the pod. Errors: Unresolved where it may have none, ApiError."""
        wishes = {wish for paths in token_wishes(pod["spec"]).values() for wish in paths.values()}
        if not wishes:
            return {}
        tokens = {wish: await self._request(pod, wish) for wish in sorted(wishes)}
        life_s = min(wish.life_s for wish in wishes)
        left_s = min(life_s * RENEWED_AT, RENEWED_S_MAX)
        self._due[uid_of(pod)] = self._clock.now_ns() + int(left_s * _NS)
        return tokens

    async def _request(self, pod: Obj, wish: TokenWish) -> str:
        metadata = pod["metadata"]
        reference = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"],
                     "uid": metadata["uid"]}  # fmt: skip
        spec = {
            "audiences": [wish.audience] if wish.audience else [],
            "expirationSeconds": wish.life_s,
            "boundObjectRef": reference,
        }
        account = text(pod, "spec", "serviceAccountName") or "default"
        path = SERVICE_ACCOUNTS.path(namespace_of(pod), account, "token")
        try:
            made = await self._client.raw("POST", path, body=orjson.dumps({"spec": spec}))
        except (BadRequest, Forbidden, Invalid, NotFound) as error:
            why = f"no token of ServiceAccount {account!r} can be fetched: {error.message}"
            raise Unresolved(why, "FailedMount") from error
        return orjson.loads(made)["status"]["token"]

    async def run(self) -> None:
        """Renews what is due, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.renew()

    async def renew(self) -> None:
        """Renews the tokens that are due; what fails is tried again at the next look."""
        for uid in [uid for uid in self._due if uid not in self._slots]:
            del self._due[uid]
        now = self._clock.now_ns()
        for uid in [uid for uid, due in self._due.items() if due <= now]:
            slot = self._slots.get(uid)
            if slot is None or slot.removing:
                continue
            try:
                tokens = await self.read(slot.state.pod)
            except (ApiError, Unresolved) as error:
                _log.warning("tokens of pod %s are not renewed: %s", slot.name, error)
                continue
            with contextlib.suppress(OSError):  # the pod has put something else there
                await asyncio.to_thread(_write, slot, tokens)


def _write(slot: Slot, tokens: Mapping[TokenWish, str]) -> None:
    for volume, paths in token_wishes(slot.state.pod["spec"]).items():
        folder = slot.files.volume(volume)
        for path, wish in paths.items():
            target = folder / path
            mode = private.mode_of(target, OWNER_MODE)  # that the volume asks for
            private.replace(target, tokens[wish].encode(), mode, folder / UNFINISHED)
