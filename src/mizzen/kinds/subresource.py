"""Subresources as data: what routing, authorization, discovery and OpenAPI know of `pods/log`.

What answers them are the handlers of the same name in `apiserver/subresources`.
"""

from __future__ import annotations

from dataclasses import dataclass

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Subresource:
    """A part of an object that has a path, and rules of authorization, of its own."""

    name: str  # as in the path: pods/NAME/log
    verbs: tuple[str, ...]  # of authorization, as in discovery
    response: tuple[str, str, str] | None = None  # group, version, kind; None: the object's own
    media_type: str = JSON  # of what is answered
    upgrades: bool = False  # GET opens a websocket, for which the verb create is asked, too
    may_upgrade: bool = False  # GET answers over a websocket, too, and needs no other verb

    @property
    def shows_object(self) -> bool:
        """True if it answers with the object itself, so that its schema is the kind's."""
        return self.response is None and self.media_type == JSON


_PROXY_VERBS = ("create", "delete", "get", "patch", "update")


def proxy_subresource(options: str, *, may_upgrade: bool = True) -> Subresource:
    """`/proxy`; `options` is the kind that discovery names for it."""
    return Subresource("proxy", _PROXY_VERBS, ("", "v1", options), "*/*", may_upgrade=may_upgrade)


STATUS_SUBRESOURCE = Subresource("status", ("get", "patch", "update"))
SCALE_SUBRESOURCE = Subresource("scale", ("get", "patch", "update"), ("autoscaling", "v1", "Scale"))
