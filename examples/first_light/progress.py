"""What the demo knows so far, fed by watches, and how it shows it live."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from burst import Burst

JOB_LABEL = "jobset.sigs.k8s.io/jobset-name"
ENDPOINT_LABEL = "mizzen.dev/endpoint"


class Progress:
    """State of the run as the API shows it, and one live line of it."""

    def __init__(self, steps: int) -> None:
        self._zero = time.monotonic()
        self._steps = steps
        self._live = sys.stdout.isatty()
        self.step = 0
        self.loss: float | None = None
        self.workers = 0
        self.ready_replicas = 0
        self.demand = 0
        self.complete = False
        self.shrunk = False
        self.failed = ""
        self.burst: Burst | None = None
        self._pods: dict[str, str] = {}

    def say(self, sentence: str) -> None:
        """One line that stays."""
        self.wipe()
        print(f"{time.monotonic() - self._zero:7.1f} s  {sentence}", flush=True)

    async def show(self) -> None:
        """Keeps the live line fresh; without a terminal, one plain line every five seconds."""
        while True:
            if self._live:
                self.wipe()
                print(self._line(), end="", flush=True)
                await asyncio.sleep(0.2)
            else:
                await asyncio.sleep(5)
                self.say(self._line())

    def wipe(self) -> None:
        """Clears the live line."""
        if self._live:
            print("\r\x1b[K", end="")

    def _line(self) -> str:
        done = 24 * self.step // self._steps
        loss = "" if self.loss is None else f"  loss {self.loss:.3f}"
        held = " ".join(sorted(self._pods.values())) or "-"
        line = f"[{'#' * done:.<24}] step {self.step}/{self._steps}{loss}  |  devices: {held}"
        if self.burst is not None:
            outcomes = self.burst.outcomes
            ended = sum(1 for o in outcomes if o.ended)
            bad = sum(1 for o in outcomes if o.error)
            line += f"  |  requests: {ended} answered, {len(outcomes) - ended - bad} in flight"
            line += f", {bad} failed" if bad else ""
        return line

    def see_job(self, _: str, job: dict[str, Any]) -> None:
        for entry in (job.get("status") or {}).get("conditions") or ():
            if entry["status"] == "True" and entry["type"] == "Complete":
                self.complete = True
            if entry["status"] == "True" and entry["type"] == "Failed":
                self.failed = f"TrainJob failed: {entry.get('message', '')}"

    def see_endpoint(self, _: str, endpoint: dict[str, Any]) -> None:
        status = endpoint.get("status") or {}
        self.ready_replicas = int(status.get("readyReplicas") or 0)
        demand = int((status.get("demand") or {}).get("replicas") or 0)
        if demand and demand != self.demand:
            self.demand = demand
            self.say(f"endpoint demand: {demand} replica(s): {status['demand'].get('cause', '')}")
        for entry in status.get("conditions") or ():
            if entry.get("reason") in ("ModelNotFound", "EngineFailed"):
                self.failed = f"ModelEndpoint: {entry.get('message', '')}"

    def see_pod(self, change: str, pod: dict[str, Any]) -> None:
        labels = pod["metadata"].get("labels") or {}
        name = pod["metadata"]["name"]
        self._see_holder(change, pod, labels, name)
        if JOB_LABEL not in labels:
            return
        annotations = pod["metadata"].get("annotations") or {}
        size = int(annotations.get("mizzen.dev/formation-size") or 0)
        if name.endswith("-0") and size and size != self.workers:
            if self.workers:
                self.say(f"training re-forms: {self.workers} -> {size} workers")
                self.shrunk = self.shrunk or size < self.workers
            else:
                self.say(f"training runs with {size} workers")
            self.workers = size
        if name.endswith("-0") and "mizzen.dev/progress" in annotations:
            progress = json.loads(annotations["mizzen.dev/progress"])
            self.step = int(progress.get("step") or 0)
            loss = (progress.get("metrics") or {}).get("loss")
            self.loss = float(loss) if loss is not None else self.loss

    def _see_holder(
        self, change: str, pod: dict[str, Any], labels: dict[str, str], name: str
    ) -> None:
        phase = (pod.get("status") or {}).get("phase")
        held = bool(pod["spec"].get("nodeName")) and phase not in ("Succeeded", "Failed")
        if change == "DELETED" or not held:
            self._pods.pop(name, None)
        elif JOB_LABEL in labels:
            self._pods[name] = (
                f"train:{labels.get('batch.kubernetes.io/job-completion-index', '?')}"
            )
        elif ENDPOINT_LABEL in labels:
            self._pods[name] = f"serve:{name.rsplit('-', 1)[-1]}"
