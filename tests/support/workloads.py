"""Workloads of `apps` in a `controlled.Cluster`: several controllers at once, and a pretended agent."""

from __future__ import annotations

from typing import Any

from mizzen.base.clock import rfc3339
from mizzen.base.objects import Key, Obj, has_condition, key_of
from mizzen.base.resources import NODES, PODS, Resource
from mizzen.controllers.core.actions import Controller, EmitEvent, RequeueAfter
from mizzen.controllers.core.view import View
from support.controlled import SECOND, Cluster

LABELS = {"app": "web"}


def template(image: str = "v1", labels: dict[str, str] = LABELS, **spec: Any) -> Obj:
    return {
        "metadata": {"labels": dict(labels)},
        "spec": {"containers": [{"name": "c", "image": image}], **spec},
    }


class Workloads(Cluster):
    """Runs its controllers to rest; pods run only when the test says so."""

    def __init__(self, *controllers: Controller) -> None:
        super().__init__(controllers[0])
        self.controllers = controllers
        self.failing: set[str] = set()  # pods that never become ready, by image

    def view(self) -> View:
        view = super().view()
        for controller in self.controllers:
            for resource in controller.resources:
                view.note_revision(resource, self.revision)
        return view

    def add(self, resource: Resource, obj: Obj) -> Obj:
        obj = {**obj, "metadata": {"generation": 1, **obj["metadata"]}}
        if resource == PODS:
            obj = {"status": {"phase": "Pending"}, **obj}
        return super().add(resource, obj)

    def create(self, resource: Resource, name: str, spec: Obj, **metadata: Any) -> Obj:
        metadata = {"name": name, "namespace": "default", "labels": LABELS, **metadata}
        return self.add(resource, {"metadata": metadata, "spec": spec})

    def set_spec(self, resource: Resource, name: str, **spec: Any) -> None:
        generation = self.get(resource, name)["metadata"].get("generation", 1) + 1
        self.change(resource, name, {"metadata": {"generation": generation}, "spec": spec})

    def reconcile_all(self) -> bool:
        """Every object of every controller once; True if anything was written."""
        wrote = False
        for controller in self.controllers:
            for obj in self.all(controller.resource):
                wrote = self._reconcile_one(controller, key_of(obj)) or wrote
        return wrote

    def _reconcile_one(self, controller: Controller, key: Key) -> bool:
        self.now += SECOND // 1000
        actions = controller.reconcile(self.view(), key, self.now)
        self.requeues = [a.seconds for a in actions if isinstance(a, RequeueAfter)]
        for action in actions:
            self._carry_out(action)
        return any(not isinstance(a, RequeueAfter | EmitEvent) for a in actions)

    def _carry_out(self, action: Any) -> None:
        """As the base, and a patch of another's spec counts its generation."""
        super()._carry_out(action)
        if "spec" in getattr(action, "patch", {}):
            slot = (action.resource, Key(action.namespace, action.name))
            metadata = self.objects[slot]["metadata"]
            metadata["generation"] = metadata.get("generation", 1) + 1

    def rest(self) -> None:
        for _ in range(200):
            if not self.reconcile_all():
                return
        raise AssertionError("never comes to rest")

    # -- the agent --------------------------------------------------------------------

    def node(self, name: str = "n", labels: dict[str, str] | None = None, **spec: Any) -> None:
        self.add(NODES, {"metadata": {"name": name, "labels": labels or {}}, "spec": spec})

    def step(self, node: str = "n") -> None:
        """Pods that are to go are gone, all others run and are ready."""
        for pod in self.all(PODS):
            name = pod["metadata"]["name"]
            if pod["metadata"].get("deletionTimestamp"):
                self.vanish(PODS, name)
            elif pod["spec"]["containers"][0].get("image") not in self.failing and (
                pod["status"]["phase"] == "Pending" or not has_condition(pod, "Ready")
            ):
                self.run_pod(name, node)

    def run_pod(self, name: str, node: str = "n", *, ready: bool = True) -> None:
        condition = {
            "type": "Ready",
            "status": "True" if ready else "False",
            "lastTransitionTime": rfc3339(self.now),
        }
        status = {"phase": "Running", "conditions": [condition]}
        self.change(PODS, name, {"spec": {"nodeName": node}, "status": status})

    def finish(self, seconds: int = 1, steps: int = 100) -> None:
        """Controllers and agent in turn, until neither has anything to do."""
        for _ in range(steps):
            self.rest()
            before = self.revision
            self.now += seconds * SECOND
            self.step()
            self.rest()
            if self.revision == before:
                return
        raise AssertionError("never finishes")

    def pods(self, **labels: str) -> list[Obj]:
        """Active pods with these labels."""
        return [
            pod
            for pod in self.all(PODS)
            if labels.items() <= (pod["metadata"].get("labels") or {}).items()
            and not pod["metadata"].get("deletionTimestamp")
            and pod["status"]["phase"] not in ("Succeeded", "Failed")
        ]

    def told(self, reason: str) -> list[str]:
        return [event.message for event in self.events if event.reason == reason]
