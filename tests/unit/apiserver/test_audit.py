"""What is recorded of a request, and the file that it goes to."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from mizzen.apiserver import audit
from mizzen.apiserver.audit import Audit, AuditLog, load_policy
from mizzen.apiserver.core.audit_policy import BadPolicy
from mizzen.apiserver.core.user import User
from mizzen.apiserver.http import Request, Response
from mizzen.store.memory import MemoryStore
from support.api_handlers import an_api

SCOPE = {"client": ("127.0.0.1", 1), "query_string": b"a=b"}
POLICY = """
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: None
  verbs: [watch]
- level: Metadata
  resources: [{group: "", resources: [secrets]}]
- level: RequestResponse
"""


async def recorded(tmp_path: Path, request: Request, response: Response) -> list[dict[str, Any]]:
    """The lines about one request."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    api = await an_api(MemoryStore())
    log = AuditLog(tmp_path / "audit.log")
    made = Audit(load_policy(policy), log, api.app.access_of, api.server.authorizer, api.clock)
    audited = made.begin(request, "id-1", SCOPE)
    if audited is not None:
        made.answered(audited, request, response)
        made.ended(audited, request, response)
    await written(log)
    text = (tmp_path / "audit.log").read_text() if (tmp_path / "audit.log").exists() else ""
    return [json.loads(line) for line in text.splitlines()]


async def written(log: AuditLog) -> None:
    task = asyncio.create_task(log.run())
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def post(plural: str, body: bytes) -> Request:
    headers = {"content-type": "application/json", "user-agent": "test/1"}
    path = f"/api/v1/namespaces/default/{plural}"
    user = User("jane", groups=("system:masters",))
    return Request("POST", path, {}, headers, body, user, requester=User("joe", uid="u"))


async def test_a_request_is_recorded_stage_by_stage_with_bodies(tmp_path: Path) -> None:
    lines = await recorded(tmp_path, post("configmaps", b'{"a":1}'), Response(201, b'{"b":2}'))
    received, complete = lines
    assert (received["stage"], complete["stage"]) == ("RequestReceived", "ResponseComplete")
    assert "requestObject" not in received and received["auditID"] == "id-1"
    assert complete["kind"] == "Event" and complete["level"] == "RequestResponse"
    assert complete["user"] == {"username": "joe", "uid": "u"}
    assert complete["impersonatedUser"]["username"] == "jane"
    assert complete["objectRef"] == {
        "resource": "configmaps", "namespace": "default", "apiVersion": "v1",
    }  # fmt: skip
    assert (complete["requestObject"], complete["responseObject"]) == ({"a": 1}, {"b": 2})
    assert complete["responseStatus"] == {"metadata": {}, "code": 201}
    assert complete["requestURI"] == "/api/v1/namespaces/default/configmaps?a=b"
    assert complete["annotations"] == {"authorization.k8s.io/decision": "allow"}
    assert (tmp_path / "audit.log").stat().st_mode & 0o777 == 0o600


async def test_a_secret_and_a_watch_leave_no_contents(tmp_path: Path) -> None:
    lines = await recorded(tmp_path, post("secrets", b'{"data":"x"}'), Response(201, b'{"x":1}'))
    assert len(lines) == 2 and not any("requestObject" in line for line in lines)
    watch = post("pods", b"")
    watch.method, watch.params = "GET", {"watch": "true"}
    (tmp_path / "audit.log").unlink()
    assert await recorded(tmp_path, watch, Response(200, b"")) == []


async def test_a_refusal_tells_its_reason(tmp_path: Path) -> None:
    body = b'{"kind":"Status","status":"Failure","message":"no","reason":"Conflict","code":409}'
    lines = await recorded(tmp_path, post("pods", b"no json"), Response(409, body))
    assert lines[1]["responseStatus"] == {
        "metadata": {}, "status": "Failure", "message": "no", "reason": "Conflict", "code": 409,
    }  # fmt: skip
    assert "requestObject" not in lines[1]


async def test_full_files_are_put_aside_and_the_oldest_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "FILE_BYTES_MAX", 10)
    monkeypatch.setattr(audit, "FILES_MAX", 2)
    log = AuditLog(tmp_path / "audit.log")
    for number in range(5):
        log.add(b"line %d ....\n" % number)
        await written(log)
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"audit.log.1": "line 4 ....\n", "audit.log.2": "line 3 ....\n"}


async def test_what_does_not_fit_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "BUFFER_BYTES_MAX", 10)
    log = AuditLog(tmp_path / "audit.log")
    for _ in range(3):
        log.add(b"1234567\n")
    await written(log)
    assert (tmp_path / "audit.log").read_bytes() == b"1234567\n" and log.dropped == 2
    nowhere = AuditLog(tmp_path / "no" / "audit.log")
    nowhere.add(b"1234567\n")
    await written(nowhere)
    assert nowhere.dropped == 1


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    for text in ("a: [", "[]", "kind: Policy"):
        path.write_text(text)
        with pytest.raises(BadPolicy, match=str(path)):
            load_policy(path)
