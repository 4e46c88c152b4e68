"""A cluster in a dictionary for controller tests: applies actions as the API server would."""

from __future__ import annotations

import copy
from typing import Any

from mizzen.base.clock import rfc3339
from mizzen.base.objects import Key, Obj, key_of
from mizzen.base.operations import Create, Delete, Patch
from mizzen.base.resources import Resource
from mizzen.controllers.core.actions import Controller, EmitEvent, RequeueAfter
from mizzen.controllers.core.view import View

SECOND = 1_000_000_000
START = 1_800_000_000 * SECOND


class Cluster:
    """Just enough of an API server to let a reconciler run to rest.

    Pods that are deleted stay, marked, until `vanish`; the test plays scheduler and agent.
    """

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.now = START
        self.revision = 0
        self.objects: dict[tuple[Resource, Key], Obj] = {}
        self.events: list[EmitEvent] = []
        self.requeues: list[float] = []

    def add(self, resource: Resource, obj: Obj) -> Obj:
        body = copy.deepcopy(obj)
        body = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
        if prefix := body["metadata"].get("generateName"):
            body["metadata"].setdefault("name", f"{prefix}{self.revision}")
        body["metadata"].setdefault("uid", f"uid-{self.revision + 1}")
        body["metadata"].setdefault("creationTimestamp", rfc3339(self.now))
        slot = (resource, key_of(body))
        assert slot not in self.objects, f"{slot} exists already"
        self._store(slot, body)
        return body

    def get(self, resource: Resource, name: str, namespace: str = "default") -> Obj:
        return self.objects[resource, Key(namespace if resource.namespaced else "", name)]

    def all(self, resource: Resource) -> list[Obj]:
        return [
            o for (r, _), o in sorted(self.objects.items(), key=lambda i: i[0][1]) if r == resource
        ]

    def names(self, resource: Resource) -> list[str]:
        return [obj["metadata"]["name"] for obj in self.all(resource)]

    def change(self, resource: Resource, name: str, patch: Any, namespace: str = "default") -> None:
        slot = (resource, Key(namespace if resource.namespaced else "", name))
        self._store(slot, merged(self.objects[slot], patch))

    def vanish(self, resource: Resource, name: str, namespace: str = "default") -> None:
        del self.objects[resource, Key(namespace if resource.namespaced else "", name)]
        self.revision += 1

    def view(self) -> View:
        objects = ((r, o) for (r, _), o in self.objects.items())
        view = View.of(objects, revision=self.revision)
        for resource in self.controller.resources:
            view.note_revision(resource, self.revision)
        return view

    def reconcile(self, name: str, namespace: str = "default") -> list[Any]:
        """One call; its actions are carried out and returned."""
        key = Key(namespace, name)
        self.now += SECOND // 1000
        view, predicate = self.view(), self.controller.predicate
        actions = self.controller.reconcile(view, key, self.now)
        own = view.get(self.controller.resource, key)
        if predicate is not None and own is not None and not predicate(view, own):
            assert actions == [], "an object that the predicate leaves out needs nothing"
        self.requeues = [a.seconds for a in actions if isinstance(a, RequeueAfter)]
        for action in actions:
            self._carry_out(action)
        return actions

    def settle(self, name: str, namespace: str = "default") -> int:
        """Calls until nothing is left to write; the number of calls that wrote."""
        for calls in range(20):
            actions = self.reconcile(name, namespace)
            if all(isinstance(a, RequeueAfter | EmitEvent) for a in actions):
                return calls
        raise AssertionError(f"never settles: {actions}")

    def _carry_out(self, action: Any) -> None:
        if isinstance(action, EmitEvent):
            self.events.append(action)
        elif isinstance(action, Create):
            self.add(action.resource, action.object)
        elif isinstance(action, Patch):
            slot = (action.resource, Key(action.namespace, action.name))
            stored = self.objects[slot]
            if action.resource_version:
                assert stored["metadata"]["resourceVersion"] == action.resource_version
            if action.uid:
                assert stored["metadata"]["uid"] == action.uid
            self._store(slot, merged(stored, action.patch))
        elif isinstance(action, Delete):
            self._delete(action)

    def _delete(self, delete: Delete) -> None:
        slot = (delete.resource, Key(delete.namespace, delete.name))
        stored = self.objects[slot]
        runs = delete.resource.plural == "pods" and stored["spec"].get("nodeName")
        finished = stored.get("status", {}).get("phase") in ("Succeeded", "Failed")
        ends_now = delete.grace_period_s == 0 or not runs or finished
        if ends_now and not stored["metadata"].get("finalizers"):
            del self.objects[slot]
            self.revision += 1
            return
        mark = {"deletionTimestamp": rfc3339(self.now), "deletionGracePeriodSeconds": 30}
        self._store(slot, merged(stored, {"metadata": mark}))

    def _store(self, slot: tuple[Resource, Key], body: Obj) -> None:
        self.revision += 1
        body["metadata"]["resourceVersion"] = str(self.revision)
        self.objects[slot] = body


def merged(base: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(base) if isinstance(base, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def condition(type: str, status: str = "True", **more: Any) -> Obj:
    return {"type": type, "status": status, **more}
