"""The holdings of each queue's pods, kept as pods take their places and leave them.

Places that a plan has assumed count, too: they come and go by the same calls, which undo.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from mizzen.base.objects import Key
from mizzen.scheduler.core.types import PodSpecView

Amounts = tuple[
    tuple[str, int], ...
]  # by resource name or DeviceClass; milli-CPU, bytes, whole ones
Claims = Callable[[PodSpecView], Iterable[tuple[Key, Amounts]]]  # a pod's, with their devices
NOTHING: Mapping[str, int] = {}


class Usage:
    """By queue: what pods request, and the devices their claims hold by DeviceClass.

    A claim that pods of one queue share counts once there. Admin access counts nothing.
    """

    def __init__(self, queue_of: Callable[[PodSpecView], str], claims_of: Claims) -> None:
        self._queue_of = queue_of
        self._claims_of = claims_of
        self._of: dict[str, Counter[str]] = {}
        self._pods: dict[str, tuple[str, Amounts, tuple[Key, ...]]] = {}  # by uid, as they came
        self._claims: dict[tuple[str, Key], tuple[int, Amounts]] = {}  # users, and devices

    def of(self, queue: str) -> Mapping[str, int]:
        """The queue's holdings by resource; what is not in it is not held."""
        return self._of.get(queue, NOTHING)

    def queues(self) -> Iterable[str]:
        """Those that hold anything."""
        return self._of.keys()

    def arrive(self, pod: PodSpecView) -> None:
        queue = self._queue_of(pod)
        if not queue:
            return
        claims = tuple(self._claims_of(pod)) if pod.claims else ()
        for key, devices in claims:
            users, known = self._claims.get((queue, key), (0, devices))
            self._claims[queue, key] = (users + 1, known)
            if not users:
                self._add(queue, devices, 1)
        self._pods[pod.uid] = (queue, pod.shape.requests, tuple([key for key, _ in claims]))
        self._add(queue, pod.shape.requests, 1)

    def leave(self, pod: PodSpecView) -> None:
        """Takes away what was added, whatever the pod's claims hold by now."""
        known = self._pods.pop(pod.uid, None)
        if known is None:
            return
        queue, requests, claims = known
        for key in claims:
            users, devices = self._claims.pop((queue, key))
            if users > 1:
                self._claims[queue, key] = (users - 1, devices)
            else:
                self._add(queue, devices, -1)
        self._add(queue, requests, -1)

    def _add(self, queue: str, amounts: Amounts, sign: int) -> None:
        counts = self._of.setdefault(queue, Counter())
        for name, amount in amounts:
            counts[name] += sign * amount
            if not counts[name]:
                del counts[name]
        if not counts:
            del self._of[queue]
