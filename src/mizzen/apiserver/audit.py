"""The audit log: one line of JSON for each stage of a request that the policy wants recorded.

Lines are gathered and written in a thread, so a slow disk holds up nobody; what does not fit into
the buffer any more is counted and said. The file is the instance's user's alone.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import orjson

from mizzen.apiserver.audit_annotations import record_into
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.audit_event import AuditedRequest
from mizzen.apiserver.core.audit_policy import (
    COMPLETE,
    NONE,
    PANIC,
    RECEIVED,
    REQUEST,
    REQUEST_RESPONSE,
    STARTED,
    AuditPolicy,
    BadPolicy,
)
from mizzen.apiserver.core.authorizer import Authorizer
from mizzen.apiserver.http import JSON, Answer, Request, Response
from mizzen.base.clock import Clock
from mizzen.base.errors import ApiError

FILE_BYTES_MAX = 100 << 20
FILES_MAX = 10  # older ones beside the one that is written
BUFFER_BYTES_MAX = 16 << 20
GATHER_S = 0.1
_DECISION, _REASON = "authorization.k8s.io/decision", "authorization.k8s.io/reason"
_log = logging.getLogger(__name__)

AccessOf = Callable[[Request], Access]


def load_policy(path: Path) -> AuditPolicy:
    """Errors: BadPolicy that names the file; OSError."""
    import yaml  # slow to import, and seldom needed

    try:
        value: Any = yaml.safe_load(path.read_text())
        return AuditPolicy(cast("dict[str, Any]", value) if isinstance(value, dict) else {})
    except (yaml.YAMLError, UnicodeDecodeError, BadPolicy) as error:
        raise BadPolicy(f"audit policy {path} is invalid: {error}") from error


class Audit:
    """Records requests by a policy."""

    def __init__(
        self,
        policy: AuditPolicy,
        log: AuditLog,
        access_of: AccessOf,
        authorizer: Authorizer,
        clock: Clock,
    ) -> None:
        self._authorizer = authorizer
        self._policy = policy
        self._log = log
        self._access_of = access_of
        self._clock = clock

    def begin(
        self, request: Request, audit_id: str, scope: Mapping[str, Any]
    ) -> AuditedRequest | None:
        """Records that a request was received, whoever asks known by now; None where nothing of it
        is to be recorded, or it is none."""
        record_into(None)
        try:
            access = self._access_of(request)
        except ApiError:
            return None
        treatment = self._policy.treatment(access)
        if treatment.level == NONE:
            return None
        now_ns = self._clock.now_ns()
        audited = AuditedRequest(
            audit_id,
            access,
            "" if access.path else _version(request.path),
            treatment,
            _uri(scope, request),
            str(scope["client"][0]),
            request.headers.get("user-agent", ""),
            now_ns,
            request.requester,
        )
        record_into(audited.annotations)
        self._add(audited, RECEIVED, now_ns)
        return audited

    def answered(self, audited: AuditedRequest, request: Request, answer: Answer) -> None:
        """Records the answer; of one that goes on, that it has started."""
        now_ns = self._clock.now_ns()
        body = self._body(audited, request)
        if not isinstance(answer, Response):
            status = getattr(answer, "status", 101)
            self._add(audited, STARTED, now_ns, status=status, request_body=body)
            return
        if audited.treatment.level >= REQUEST_RESPONSE:
            answer.gather()
        failed = answer.status >= 400 and answer.content_type == JSON
        if answer.status != 401:
            allowed = self._authorizer.allows(audited.access)
            audited.annotations[_DECISION] = "allow" if allowed else "forbid"
            reason = self._authorizer.reason(audited.access)
            if reason:
                audited.annotations[_REASON] = reason
        self._add(
            audited,
            PANIC if answer.status == 500 else COMPLETE,
            now_ns,
            status=answer.status,
            message=_value(answer.body) if failed else None,
            request_body=body,
            response_body=answer.body if answer.content_type == JSON else b"",
        )

    def ended(self, audited: AuditedRequest, request: Request, answer: Answer) -> None:
        """Records the end of an answer that went on."""
        if not isinstance(answer, Response):
            status = getattr(answer, "status", 101)
            body = self._body(audited, request)
            self._add(audited, COMPLETE, self._clock.now_ns(), status=status, request_body=body)

    def _body(self, audited: AuditedRequest, request: Request) -> bytes:
        if audited.treatment.level < REQUEST or not request.head.content_type.endswith("json"):
            return b""
        return request.body

    def _add(self, audited: AuditedRequest, stage: str, now_ns: int, **more: Any) -> None:
        if stage not in audited.treatment.omitted:
            self._log.add(audited.line(stage, now_ns, **more))


class AuditLog:
    """A file that is appended to and, once it is full, put aside."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[bytes] = []
        self._bytes = 0
        self.dropped = 0

    def add(self, line: bytes) -> None:
        if self._bytes + len(line) > BUFFER_BYTES_MAX:
            if not self.dropped:
                _log.error("the audit log cannot be written as fast as it grows: lines are lost")
            self.dropped += 1
            return
        self._lines.append(line)
        self._bytes += len(line)

    async def run(self) -> None:
        """Writes what is gathered, until cancelled; then the rest."""
        try:
            while True:
                await asyncio.sleep(GATHER_S)
                if self._lines:
                    await asyncio.to_thread(self._write, self._take())
        finally:
            self._write(self._take())

    def _take(self) -> bytes:
        lines, self._lines, self._bytes = self._lines, [], 0
        return b"".join(lines)

    def _write(self, data: bytes) -> None:
        if not data:
            return
        try:
            with open(
                os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab"
            ) as file:
                file.write(data)
                is_full = file.tell() >= FILE_BYTES_MAX
            if is_full:
                self._put_aside()
        except OSError as error:
            self.dropped += data.count(b"\n")
            _log.error("the audit log cannot be written: %s", error)

    def _put_aside(self) -> None:
        """audit.log.1 is the newest of those that are full."""
        for number in range(FILES_MAX - 1, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            if older.exists():
                older.replace(self._path.with_name(f"{self._path.name}.{number + 1}"))
        self._path.replace(self._path.with_name(f"{self._path.name}.1"))


def _uri(scope: Mapping[str, Any], request: Request) -> str:
    query = scope["query_string"].decode("latin-1")
    return f"{request.path}?{query}" if query else request.path


def _version(path: str) -> str:
    parts = path.split("/", 4)
    return parts[2] if parts[1] == "api" else parts[3]


def _value(body: bytes) -> dict[str, Any] | None:
    value: Any = orjson.loads(body)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None
