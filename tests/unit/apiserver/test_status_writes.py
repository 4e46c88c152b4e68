"""The status subresource writes the status, whatever else the body holds or lacks."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.store.memory import MemoryStore
from support.api_handlers import an_api

SETS = "/apis/apps/v1/namespaces/default/daemonsets"
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"


def daemon_set() -> dict[str, Any]:
    labels = {"a": "b"}
    spec = {"containers": [{"name": "c", "image": "i"}]}
    return {
        "metadata": {"name": "d"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


@pytest.mark.parametrize("kind", [MERGE, STRATEGIC])
async def test_a_patch_as_go_writes_it_leaves_the_spec(kind: str) -> None:
    """Go's structs write what they lack: an empty selector, no containers."""
    api = await an_api(MemoryStore())
    _, made = await api.call("POST", SETS, daemon_set())
    condition = {"type": "StatusPatched", "status": "True", "lastTransitionTime": None}
    patch = {
        "metadata": {},
        "spec": {"selector": None, "template": {"metadata": {}, "spec": {"containers": None}}},
        "status": {"conditions": [condition]},
    }
    code, patched = await api.call("PATCH", f"{SETS}/d/status", patch, content_type=kind)
    assert code == 200, patched
    assert patched["spec"] == made["spec"]
    assert patched["status"]["conditions"][0]["type"] == "StatusPatched"
    assert (await api.call("PATCH", f"{SETS}/d", patch, content_type=kind))[0] == 422


async def test_what_is_wrong_with_the_status_itself_is_told() -> None:
    api = await an_api(MemoryStore())
    await api.call("POST", SETS, daemon_set())
    patch = {"status": {"numberReady": "x"}, "spec": {"selector": None}}
    code, status = await api.call("PATCH", f"{SETS}/d/status", patch, content_type=MERGE)
    assert code in (400, 422) and "numberReady" in status["message"]
