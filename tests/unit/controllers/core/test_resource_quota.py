"""A quota's status follows its limits."""

from __future__ import annotations

from mizzen.base.objects import Key
from mizzen.base.operations import Patch
from mizzen.base.resources import RESOURCE_QUOTAS
from mizzen.controllers.core.actions import RequeueAfter
from mizzen.controllers.core.resource_quota import reconcile
from mizzen.controllers.core.view import View


def test_the_limits_are_written_into_the_status_and_counted_again_later() -> None:
    quota = {
        "metadata": {"name": "q", "namespace": "d", "uid": "u"},
        "spec": {"hard": {"pods": "2"}},
        "status": {"hard": {"pods": "1", "secrets": "3"}},
    }
    write, again = reconcile(View.of([(RESOURCE_QUOTAS, quota)]), Key("d", "q"), 0)
    assert isinstance(write, Patch) and isinstance(again, RequeueAfter)
    assert write.patch == {"status": {"hard": {"pods": "2", "secrets": None}}}
    assert write.subresource == "status"
    assert reconcile(View.of([]), Key("d", "q"), 0) == []
