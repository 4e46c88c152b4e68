"""core/v1 ResourceQuota: its status follows its limits, and is counted anew now and then.

The API server charges quotas in the commits that they count, and counts whenever the status is
written. What is left is to say that the limits have changed, and to have pods that are stuck in
their deletion counted no longer. Source: kube-controller-manager `pkg/controller/resourcequota`.
"""

from __future__ import annotations

from mizzen.base.objects import Key, name_of, namespace_of, uid_of
from mizzen.base.operations import Patch
from mizzen.base.reading import part
from mizzen.base.resources import RESOURCE_QUOTAS
from mizzen.controllers.core.actions import Action, Controller, RequeueAfter
from mizzen.controllers.core.view import View

RECOUNT_S = 300.0


def reconcile(view: View, key: Key, now_ns: int) -> list[Action]:
    """Writes the status, which the API server completes; where nothing changed, that is no write."""
    quota = view.get(RESOURCE_QUOTAS, key)
    if quota is None:
        return []
    hard = part(quota, "spec", "hard")
    gone = {name: None for name in part(quota, "status", "hard") if name not in hard}
    change = {"status": {"hard": {**hard, **gone}}}
    name, uid = name_of(quota), uid_of(quota)
    write = Patch(RESOURCE_QUOTAS, namespace_of(quota), name, change, "status", uid=uid)
    return [write, RequeueAfter(RECOUNT_S)]


CONTROLLER = Controller(name="resource-quota", resource=RESOURCE_QUOTAS, reconcile=reconcile)
