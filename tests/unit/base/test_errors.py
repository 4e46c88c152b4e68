"""What callers rest on when they catch errors by class."""

from __future__ import annotations

from mizzen.base.errors import InsufficientStorage, Unavailable, from_status, reason_of


def test_a_full_disk_is_waited_out_like_an_api_that_is_away() -> None:
    """Or a pod that ends while the disk is full would run for ever in the API's eyes."""
    error = from_status(InsufficientStorage("the disk is full").to_status())
    assert isinstance(error, InsufficientStorage)
    assert isinstance(error, Unavailable)
    assert error.code == 507


def test_an_http_status_has_upstreams_reason() -> None:
    reasons = {401: "Unauthorized", 404: "NotFound", 408: "", 413: "RequestEntityTooLarge",
               429: "TooManyRequests", 501: "InternalError", 503: "ServiceUnavailable"}  # fmt: skip
    assert {code: reason_of(code) for code in reasons} == reasons
