"""Claims that are only thought of: what pods ask by name, put before the allocator as claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from mizzen.base.objects import Key
from mizzen.scheduler.core.claiming.extended import CLAIM, claim_key, extended_of
from mizzen.scheduler.core.dra.model import ClaimRequest
from mizzen.scheduler.core.types import Claim, PodClaim, PodSpecView

_NOWHERE: Mapping[str, int] = {}  # a node where no device plugin advertises anything


def with_unmade_claim(
    pod: PodSpecView, is_made: Callable[[Key], bool], classes: Mapping[str, str]
) -> tuple[PodSpecView, Claim | None]:
    """The pod, with a claim for the extended resources it asks for; and that claim, if unmade.

    `classes` are DeviceClasses by resource. A claim that an interrupted attempt left (`is_made`)
    is used as it is.
    """
    extended = extended_of(pod.extended_requests, classes) if pod.extended_requests else None
    if extended is None:
        return pod, None
    key = claim_key(pod.key, pod.uid)
    entry = PodClaim(CLAIM, key, is_generated=True, extended=extended)
    asking = replace(pod, claims=(*pod.claims, entry))
    if is_made(key):
        return asking, None
    request = extended.request_on(_NOWHERE)
    assert request is not None, "without device plugins every extended resource is a request"
    return asking, _claim(key, pod.uid, request)


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
