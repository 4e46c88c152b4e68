"""Claims that are only thought of: what pods ask by name, put before the allocator as claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mizzen.base.objects import Key
from mizzen.scheduler.core.dra.model import ClaimRequest
from mizzen.scheduler.core.extended import CLAIM, claim_key, extended_of
from mizzen.scheduler.core.types import Claim, PodClaim, PodSpecView

_NOWHERE: Mapping[str, int] = {}  # a node where no device plugin advertises anything


def with_unmade_claims(
    waiting: Iterable[PodSpecView], claims: Mapping[Key, Claim], classes: Mapping[str, str]
) -> tuple[dict[Key, PodSpecView], dict[Key, Claim]]:
    """The pods that ask for extended resources, now with a claim each; and those claims.

    `classes` are DeviceClasses by resource. A claim that an interrupted attempt left is used as
    it is.
    """
    pods: dict[Key, PodSpecView] = {}
    unmade: dict[Key, Claim] = {}
    for pod in waiting:
        extended = extended_of(pod.wishes, classes) if pod.wishes else None
        if extended is None:
            continue
        key = claim_key(pod.key, pod.uid)
        if key not in claims:
            request = extended.request_on(_NOWHERE)
            assert request is not None, "without device plugins every wish is a request"
            unmade[key] = _claim(key, pod.uid, request)
        entry = PodClaim(CLAIM, key, is_generated=True, extended=extended)
        pods[pod.key] = replace(pod, claims=(*pod.claims, entry))
    return pods, unmade


def _claim(key: Key, owner_uid: str, request: ClaimRequest) -> Claim:
    return Claim(
        key=key,
        uid="",
        resource_version="",
        request=request,
        allocation=None,
        reserved_for=(),
        owner_uid=owner_uid,
    )
