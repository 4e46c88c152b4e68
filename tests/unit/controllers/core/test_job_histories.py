"""Jobs of every policy through random histories of their pods: nothing is counted twice or lost."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from mizzen.base.clock import rfc3339
from mizzen.base.indexes import Indexes
from mizzen.base.objects import Obj
from mizzen.base.resources import JOBS, PODS
from mizzen.controllers.core.job import CONTROLLER
from mizzen.controllers.core.job_pods import index_of
from support.controlled import SECOND, Cluster
from support.jobs import over, start, status

STEPS = 40
ROUNDS_MAX = 60  # to come to an end once every pod succeeds
CODES = (1, 42, 43)
RULES = (
    {"action": "Ignore", "onExitCodes": {"operator": "In", "values": [43]}},
    {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}},
    {"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [42]}},
    {"action": "Count", "onExitCodes": {"operator": "NotIn", "values": [43]}},
)


def a_spec(draw: random.Random) -> dict[str, Any]:
    completions = draw.randint(1, 5)
    spec: dict[str, Any] = {
        "completions": completions,
        "parallelism": draw.randint(1, 4),
        "backoffLimit": draw.randint(0, 5),
    }
    if draw.random() < 0.7:
        spec["completionMode"] = "Indexed"
        if draw.random() < 0.6:
            spec["backoffLimitPerIndex"] = draw.randint(0, 2)
            spec["backoffLimit"] = draw.choice((3, 2**31 - 1))
            if draw.random() < 0.5:
                spec["maxFailedIndexes"] = draw.randint(0, completions)
        if draw.random() < 0.3:
            spec["successPolicy"] = {"rules": [{"succeededCount": draw.randint(1, completions)}]}
    if draw.random() < 0.5:
        chosen = draw.sample(RULES, draw.randint(1, 3))
        rules = [r for r in chosen if r["action"] != "FailIndex" or "backoffLimitPerIndex" in spec]
        spec["podFailurePolicy"] = {"rules": rules}
    elif draw.random() < 0.4:
        spec["podReplacementPolicy"] = "Failed"
    return spec


class History:
    """A Job, its pods' fates as the test deals them, and what must be true of both."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.spec = a_spec(self.draw)
        self.most = self.spec["parallelism"]  # pods at a time that were ever asked for
        self.cluster = Cluster(CONTROLLER)
        self.ends: dict[str, str] = {}  # pod -> how it ended: Succeeded, Failed, or Deleted
        self.index: dict[str, int] = {}
        start(self.cluster, **self.spec)

    def pods(self) -> list[Obj]:
        return self.cluster.all(PODS)

    def unfinished(self) -> list[Obj]:
        for pod in self.pods():
            name = pod["metadata"]["name"]
            is_new = not (pod.get("status") or pod["metadata"].get("deletionTimestamp"))
            if name in self.ends and is_new:  # a name that was free again
                self.ends[f"{name} {len(self.ends)}"] = self.ends.pop(name)
                self.index[f"{name} {len(self.index)}"] = self.index.pop(name)
        return [pod for pod in self.pods() if pod["metadata"]["name"] not in self.ends]

    def meddle(self) -> None:
        """Users suspend and resume, change their minds, and delete by force."""
        what, pods = self.draw.random(), self.unfinished()
        if what < 0.1:
            self.ask(suspend=not self.spec.get("suspend"))
        elif what < 0.2:
            self.ask(parallelism=self.draw.randint(0, 5))
        elif what < 0.25 and pods:
            pod = self.draw.choice(pods)
            self.ends[pod["metadata"]["name"]] = "Deleted"
            self.index[pod["metadata"]["name"]] = index_of(pod)
            self._delete(pod, grace_s=0)

    def ask(self, **spec: Any) -> None:
        self.spec |= spec
        self.most = max(self.most, self.spec["parallelism"])
        self.cluster.change(JOBS, "j", {"spec": spec})
        self.cluster.settle("j")

    def step(self) -> None:
        self.meddle()
        self.cluster.now += self.draw.choice((1, 1, 15, 100, 500)) * SECOND
        pods = self.unfinished()
        if pods:
            pod = self.draw.choice(pods)
            kind = self.draw.choice(("Succeeded", "Failed", "Failed", "delete", "delete"))
            if kind == "delete" and not pod["metadata"].get("deletionTimestamp"):
                self._delete(pod)
            else:
                self.end(pod, "Failed" if kind == "delete" else kind)
        self.cluster.settle("j")
        self.sweep()
        self.cluster.settle("j")
        self.check()

    def sweep(self) -> None:
        """Somebody deletes a finished pod; it goes unless a finalizer keeps it."""
        done = [p for p in self.pods() if p["metadata"]["name"] in self.ends]
        if not done or self.draw.random() < 0.5:
            return
        pod = self.draw.choice(done)
        if pod["metadata"].get("finalizers"):
            when = {"deletionTimestamp": rfc3339(self.cluster.now), "deletionGracePeriodSeconds": 0}
            self.cluster.change(PODS, pod["metadata"]["name"], {"metadata": when})
        else:
            self.cluster.vanish(PODS, pod["metadata"]["name"])

    def _delete(self, pod: Obj, grace_s: int = 30) -> None:
        when = rfc3339(self.cluster.now + grace_s * SECOND)
        mark = {"deletionTimestamp": when, "deletionGracePeriodSeconds": grace_s}
        self.cluster.change(PODS, pod["metadata"]["name"], {"metadata": mark})

    def end(self, pod: Obj, phase: str) -> None:
        name = pod["metadata"]["name"]
        is_deleted = bool(pod["metadata"].get("deletionTimestamp"))
        code = 0 if phase == "Succeeded" else self.draw.choice(CODES)
        ended = {"terminated": {"exitCode": code, "finishedAt": rfc3339(self.cluster.now)}}
        state = {"phase": phase, "containerStatuses": [{"name": "c", "state": ended}]}
        metadata = {"deletionGracePeriodSeconds": 0} if is_deleted else {}
        self.index[name] = index_of(pod)
        self.ends[name] = "Deleted" if is_deleted and phase == "Failed" else phase
        self.cluster.change(PODS, name, {"status": state, "metadata": metadata})

    def check(self) -> None:
        said = status(self.cluster)
        running = [p for p in self.unfinished() if not p["metadata"].get("deletionTimestamp")]
        assert len(running) <= (0 if self.spec.get("suspend") else self.spec["parallelism"])
        if self.spec.get("podReplacementPolicy") == "Failed" or "podFailurePolicy" in self.spec:
            assert len(self.unfinished()) <= self.most
        counts = Counter(self.ends.values())
        if "completionMode" in self.spec:
            won = {self.index[n] for n, end in self.ends.items() if end == "Succeeded"}
            assert Indexes.parse(said.get("completedIndexes", "")) == Indexes.of(won)
            assert said["succeeded"] == len(won)
            indexes = [index_of(pod) for pod in running]
            assert len(set(indexes)) == len(indexes), "one pod of an index at a time"
            failed = Indexes.parse(said.get("failedIndexes", ""))
            assert not failed & Indexes.of(won)
            if not over(self.cluster, "FailureTarget"):
                assert not Indexes.of(indexes) & failed
        else:
            assert said["succeeded"] == counts["Succeeded"]
        self._check_failures(said, counts)

    def _check_failures(self, said: Obj, counts: Counter[str]) -> None:
        if "podFailurePolicy" in self.spec or over(self.cluster, "FailureTarget"):
            return  # rules, and what was ended with its job, count differently
        assert said["failed"] == counts["Failed"], "a deleted pod is no failure"
        if "backoffLimitPerIndex" not in self.spec:
            return
        by_index = Counter(self.index[n] for n, end in self.ends.items() if end == "Failed")
        assert max(by_index.values(), default=0) <= self.spec["backoffLimitPerIndex"] + 1

    def finish(self) -> None:
        """From now on every pod succeeds, or ends if it was told to; so the job must end, too, and
        nothing more is written about it."""
        self.ask(suspend=False, parallelism=3)
        for _ in range(ROUNDS_MAX):
            if over(self.cluster) or over(self.cluster, "Failed"):
                break
            self.cluster.now += 1000 * SECOND
            for pod in self.unfinished():
                is_deleted = pod["metadata"].get("deletionTimestamp")
                self.end(pod, "Failed" if is_deleted else "Succeeded")
            self.cluster.settle("j")
        assert over(self.cluster) or over(self.cluster, "Failed"), status(self.cluster)
        for pod in self.unfinished():
            self.end(pod, "Failed")
        self.cluster.settle("j")
        assert not any(pod["metadata"].get("finalizers") for pod in self.pods())
        written = self.cluster.revision
        self.cluster.now += 1000 * SECOND
        self.cluster.reconcile("j")
        assert self.cluster.revision == written


@pytest.mark.parametrize("seed", range(150))
def test_nothing_is_counted_twice_or_lost(seed: int) -> None:
    history = History(seed)
    for _ in range(STEPS):
        history.step()
    history.finish()
