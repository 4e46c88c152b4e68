"""One line of the audit log: an audit.k8s.io/v1 Event.

Source: apiserver pkg/audit/request.go, Kubernetes 1.36.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.audit_policy import LEVELS, REQUEST, REQUEST_RESPONSE, Treatment
from mizzen.apiserver.core.user import User
from mizzen.base.clock import rfc3339_micro
from mizzen.base.objects import Obj

URI_LENGTH_MAX = 4096
BODY_BYTES_MAX = 1 << 20  # of one object in a line; a longer one is left out


@dataclass(slots=True)
class AuditedRequest:
    """What is known of a request when it is judged; `requester` where it is in another's name."""

    audit_id: str
    access: Access
    version: str
    treatment: Treatment
    uri: str
    source: str
    user_agent: str
    received_ns: int
    requester: User | None = None
    annotations: dict[str, str] = field(default_factory=dict[str, str])

    def line(
        self,
        stage: str,
        now_ns: int,
        *,
        status: int = 0,
        message: Obj | None = None,
        request_body: bytes = b"",
        response_body: bytes = b"",
    ) -> bytes:
        """The event as one line of JSON. `message` is the Status of a refusal."""
        access, level = self.access, self.treatment.level
        event: Obj = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": LEVELS[level],
            "auditID": self.audit_id,
            "stage": stage,
            "requestURI": self.uri[:URI_LENGTH_MAX],
            "verb": access.verb,
            "user": _user(self.requester or access.user),
        }
        if self.requester is not None:
            event["impersonatedUser"] = _user(access.user)
        event["sourceIPs"] = [self.source]
        if self.user_agent:
            event["userAgent"] = self.user_agent[:URI_LENGTH_MAX]
        if not access.path:
            event["objectRef"] = self._reference()
        if status:
            event["responseStatus"] = _status(status, message)
        if level >= REQUEST and (body := _object(request_body)) is not None:
            event["requestObject"] = body
        if level >= REQUEST_RESPONSE and (body := _object(response_body)) is not None:
            event["responseObject"] = body
        event["requestReceivedTimestamp"] = rfc3339_micro(self.received_ns)
        event["stageTimestamp"] = rfc3339_micro(now_ns)
        if self.annotations:
            event["annotations"] = self.annotations
        return orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE)

    def _reference(self) -> Obj:
        access = self.access
        named = {
            "resource": access.resource,
            "namespace": access.namespace,
            "name": access.name,
            "apiGroup": access.group,
            "apiVersion": self.version,
            "subresource": access.subresource,
        }
        return {name: value for name, value in named.items() if value}


def _user(user: User) -> Obj:
    shown: Obj = {"username": user.name}
    if user.uid:
        shown["uid"] = user.uid
    if user.groups:
        shown["groups"] = list(user.groups)
    if user.extra:
        shown["extra"] = {key: list(values) for key, values in user.extra.items()}
    return shown


def _status(code: int, message: Obj | None) -> Obj:
    shown: Obj = {"metadata": {}}
    if message is not None:
        shown.update((k, message[k]) for k in ("status", "message", "reason") if k in message)
    return {**shown, "code": code}


def _object(body: bytes) -> Any:
    """The body as a value; None where it is none, too long or no JSON."""
    if not body or len(body) > BODY_BYTES_MAX:
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
