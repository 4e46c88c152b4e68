"""Leader election by a Lease: of several copies of a component one acts, the others wait.

Source: client-go `tools/leaderelection`: the holder renews; others take over when the lease
has not changed for its duration on *their* clock, so that clocks need not agree.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mizzen.base.clock import Clock, rfc3339_micro
from mizzen.base.errors import AlreadyExists, ApiError, Conflict, NotFound, Unavailable
from mizzen.base.objects import Obj, revision_of
from mizzen.base.resources import LEASES
from mizzen.client.client import Client


@dataclass(frozen=True, slots=True)
class LeaseConfig:
    """The lease's name, holder and times. `renew_s` must be well below `duration_s`."""

    name: str
    identity: str
    namespace: str = "kube-system"
    duration_s: float = 15.0
    renew_s: float = 5.0


# Of the lease's duration: the holder stops earlier than others may begin.
_TRUSTED_SHARE = 2 / 3
_log = logging.getLogger(__name__)


class Elector:
    """One candidate; `lead` runs the work for as long as the lease is held.

    Whoever writes as the leader asks `check` before each write: it says no as soon as the lease
    may have gone to somebody else, even if this process has been asleep since its last renewal.
    The elector itself needs a client without that question.
    """

    def __init__(self, client: Client, clock: Clock, config: LeaseConfig) -> None:
        self._client = client
        self._clock = clock
        self._config = config
        self._seen_revision = -1
        self._seen_at_ns = 0
        self._leads_until_ns = 0
        self._trouble = ""

    @property
    def is_leading(self) -> bool:
        return self._clock.monotonic_ns() < self._leads_until_ns

    def check(self) -> None:
        """Errors: Unavailable unless this candidate is sure to hold the lease now."""
        if not self.is_leading:
            name, identity = self._config.name, self._config.identity
            raise Unavailable(f'{identity} does not hold Lease "{name}": it writes nothing')

    async def lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Waits for the lease, then runs `work` to its end; cancels it when the lease is lost.

        Returns when the work is done (the lease is released) or the lease is lost.
        """
        while True:
            if await self.try_acquire():
                break
            await asyncio.sleep(self._config.renew_s)
        working = asyncio.ensure_future(work())
        renewing = asyncio.ensure_future(self._renew_until_lost())
        try:
            await asyncio.wait((working, renewing), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            for task in (working, renewing):
                task.cancel()
            await asyncio.gather(working, renewing, return_exceptions=True)
            await self._release()

    async def try_acquire(self) -> bool:
        """One attempt to take or renew the lease; False while someone else holds it."""
        began_ns = self._clock.monotonic_ns()
        if not await self._try_write():
            return False
        # From before the request: the others count from when they see it, which is later.
        trusted_ns = int(self._config.duration_s * _TRUSTED_SHARE * 1e9)
        self._leads_until_ns = began_ns + trusted_ns
        return True

    async def _try_write(self) -> bool:
        config = self._config
        try:
            lease = await self._client.get(LEASES, config.name, config.namespace)
        except NotFound:
            spec = self._spec(transitions=0)
            body: Obj = {
                "metadata": {"name": config.name, "namespace": config.namespace},
                "spec": spec,
            }
            return await self._wrote(self._client.create(LEASES, body))
        except ApiError as error:
            self._tell(error)
            return False
        held: Obj = lease.get("spec") or {}
        holder = str(held.get("holderIdentity") or "")
        if holder not in ("", config.identity) and not self._has_lapsed(lease):
            self._trouble = ""
            return False
        transitions = int(held.get("leaseTransitions") or 0) + (holder != config.identity)
        fresh: Obj = {**lease, "spec": {**held, **self._spec(transitions)}}
        if holder == config.identity:
            fresh["spec"]["acquireTime"] = held.get("acquireTime")
        return await self._wrote(self._client.update(LEASES, fresh))

    def _has_lapsed(self, lease: Obj) -> bool:
        now = self._clock.monotonic_ns()
        if revision_of(lease) != self._seen_revision:
            self._seen_revision = revision_of(lease)
            self._seen_at_ns = now
        held: Obj = lease.get("spec") or {}
        seconds = float(held.get("leaseDurationSeconds") or 15)
        return now - self._seen_at_ns >= seconds * 1e9

    async def _renew_until_lost(self) -> None:
        while self.is_leading:
            await asyncio.sleep(self._config.renew_s)
            left_s = (self._leads_until_ns - self._clock.monotonic_ns()) / 1e9
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(left_s, self._config.renew_s)):
                    await self.try_acquire()

    async def _release(self) -> None:
        """Lets the next candidate in at once; if that fails the lease lapses by itself."""
        self._leads_until_ns = 0
        with contextlib.suppress(ApiError):
            lease = await self._client.get(LEASES, self._config.name, self._config.namespace)
            if lease["spec"].get("holderIdentity") == self._config.identity:
                lease["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
                await self._client.update(LEASES, lease)

    def _spec(self, transitions: int) -> Obj:
        now = rfc3339_micro(self._clock.now_ns())
        return {
            "holderIdentity": self._config.identity,
            "leaseDurationSeconds": max(1, round(self._config.duration_s)),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }

    async def _wrote(self, write: Awaitable[Obj]) -> bool:
        try:
            await write
        except (AlreadyExists, Conflict):
            return False  # somebody else was first
        except ApiError as error:
            self._tell(error)
            return False
        self._trouble = ""
        return True

    def _tell(self, error: ApiError) -> None:
        """Logs what keeps this candidate from the lease, once for as long as it is the same."""
        if str(error) != self._trouble:
            self._trouble = str(error)
            name = f"{self._config.namespace}/{self._config.name}"
            _log.warning('Lease "%s" can be neither taken nor renewed, tried on: %s', name, error)
