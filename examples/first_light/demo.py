"""First light: train a model, serve it, and share one pool of devices between the two.

    python examples/first_light/demo.py [--short] [--out DIR] [--keep]

The program submits a TrainJob, a ModelEndpoint and HTTP requests, and watches. That training
shrinks for the burst and grows back afterwards is the control plane's own doing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import json
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import checker
import report
import summary
from burst import Burst
from instance import DemoError, Instance, environment
from picture import draw
from progress import JOB_LABEL, Progress

from mizzen.base.errors import ApiError, BadRequest
from mizzen.base.resources import (
    MODEL_ENDPOINTS,
    NODES,
    PODS,
    RESOURCE_SLICES,
    TRAIN_JOBS,
    USAGE_RECORDS,
)
from mizzen.client.client import Client

HERE = Path(__file__).resolve().parent
JOB, ENDPOINT, NAMESPACE = "first-light", "tiny", "default"
TARGET_CONCURRENCY = 8
DEVICE = "mizzen.dev/cpu-core"


@dataclass(frozen=True, slots=True)
class Size:
    """How long the run is; both sizes do all of it."""

    steps: int
    export_at: int
    burst_s: float
    max_tokens: int = 48


FULL = Size(steps=420, export_at=60, burst_s=20)
SHORT = Size(steps=240, export_at=30, burst_s=10)


def train_job(size: Size) -> dict[str, Any]:
    """The TrainJob as a user would apply it: elastic, one to three workers of one device each."""
    return {
        "apiVersion": TRAIN_JOBS.api_version,
        "kind": TRAIN_JOBS.kind,
        "metadata": {
            "name": JOB,
            "namespace": NAMESPACE,
            "annotations": {"mizzen.dev/min-nodes": "1", "mizzen.dev/max-nodes": "3"},
        },
        "spec": {
            "runtimeRef": {"name": "jax-distributed"},
            "trainer": {
                "numNodes": 3,
                "command": ["python", str(HERE / "train.py")],
                "args": ["--steps", str(size.steps), "--export-at", str(size.export_at)],
                "resourcesPerNode": {"limits": {DEVICE: "1"}},
            },
        },
    }


def model_endpoint(model: Path) -> dict[str, Any]:
    """The endpoint: one replica at rest, two when more than eight requests are in flight."""
    return {
        "apiVersion": MODEL_ENDPOINTS.api_version,
        "kind": MODEL_ENDPOINTS.kind,
        "metadata": {"name": ENDPOINT, "namespace": NAMESPACE},
        "spec": {
            "model": {"path": str(model), "name": ENDPOINT},
            "replicas": {"min": 1, "max": 2},
            "scaling": {"targetConcurrency": TARGET_CONCURRENCY, "scaleDownDelaySeconds": 3},
        },
    }


class Demo:
    """One run of the main job in an instance of its own."""

    def __init__(self, size: Size, instance: Instance, progress: Progress) -> None:
        self.size = size
        self.instance = instance
        self.progress = progress
        self.run: checker.Run = checker.Run()
        self.texts: list[tuple[str, str]] = []
        self._started = 0
        self._followed: dict[str, asyncio.Task[None]] = {}

    async def play(self) -> dict[str, Any]:
        """The whole job; its report as a value. Errors: DemoError, with the reason."""
        self._started = time.time_ns()
        async with self._running() as client:
            burst = await self._scenes(client)
            return await self._report(client, burst)

    async def undisturbed(self) -> None:
        """The training job alone, for comparison: nothing else asks for devices."""
        async with self._running() as client:
            await self._train(client)
            await self._until(lambda: self.progress.complete, 900, "the end of training")
            await self._logs_kept()
        self.progress.say(f"training is complete; the workers' logs are in {self._log_folder}")

    @contextlib.asynccontextmanager
    async def _running(self) -> AsyncIterator[Client]:
        """The instance, up and watched; on the way out nothing follows it any more."""
        await self.instance.up()
        self.progress.say("the control plane is up")
        path = await self.instance.kubeconfig()
        async with Client.from_kubeconfig(path, user_agent="first-light") as client:
            watcher = asyncio.create_task(self._watch(client))
            try:
                yield client
            finally:
                tasks = (watcher, *self._followed.values())
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _logs_kept(self) -> None:
        """Waits until the workers' logs, which end with their pods, are whole."""
        kept, _ = await asyncio.wait(self._followed.values(), timeout=10)
        for task in kept:
            task.result()  # a log that could not be kept ends the demo, with the reason

    async def _train(self, client: Client) -> None:
        await client.create(TRAIN_JOBS, train_job(self.size))
        self.progress.say(
            f"submitted TrainJob {JOB}: {self.size.steps} steps, 1 to 3 workers of one device each"
        )

    async def _scenes(self, client: Client) -> Burst:
        say, size = self.progress.say, self.size
        await self._train(client)
        model = self.instance.outputs(NAMESPACE, JOB) / "model.gguf"
        await self._until(model.exists, 300, f"the model exported at step {size.export_at}")
        await client.create(MODEL_ENDPOINTS, model_endpoint(model))
        say(f"submitted ModelEndpoint {ENDPOINT}: the model as it was at step {size.export_at}")
        await self._until(lambda: self.progress.ready_replicas >= 1, 60, "a ready replica")
        say("the endpoint has a ready replica; training goes on")
        url, key = self.instance.gateway()
        burst = Burst(f"{url}/v1", key, ENDPOINT, size.max_tokens)
        try:
            await self._send(burst)
        finally:
            await burst.close()
        await self._until(
            lambda: self.progress.workers >= 3, 60, "training grown back to 3 workers"
        )
        await self._until(lambda: self.progress.complete, 600, "the end of training")
        say("training is complete")
        self.texts = [(o.api, o.text) for o in burst.outcomes[-2:]]
        return burst

    async def _send(self, burst: Burst) -> None:
        say, half = self.progress.say, TARGET_CONCURRENCY
        self.progress.burst = burst
        say(f"half a burst: {half} requests in flight, as many as one replica is for")
        await burst.send("half", half, is_over=_after(self.size.burst_s / 3), at_least=half)
        if self.progress.shrunk:
            raise DemoError("training shrank for half a burst, which one replica could serve")
        say(f"the burst: {2 * half} requests in flight")
        await burst.send("burst", 2 * half, is_over=_after(self.size.burst_s), at_least=2 * half)
        say("the burst is answered")

    async def _until(self, test: Callable[[], bool], limit_s: float, what: str) -> None:
        """Waits for a condition that the watch or the disk will show. Errors: DemoError."""
        limit = time.monotonic() + limit_s
        while not test():
            if self.progress.failed:
                raise DemoError(f"waiting for {what}: {self.progress.failed}")
            if time.monotonic() > limit:
                raise DemoError(
                    f"waited {limit_s:.0f} s in vain for {what}; look at "
                    f"`mizzen why trainjob/{JOB} --home {self.instance.home}`"
                )
            await asyncio.sleep(0.1)

    async def _watch(self, client: Client) -> None:
        """Feeds progress from the API for as long as the run lasts."""

        async def follow(resource: Any, see: Callable[[str, dict[str, Any]], None]) -> None:
            while True:
                with contextlib.suppress(ApiError):  # the API server may be restarting
                    async for event in client.watch(resource, NAMESPACE):
                        if event.type in ("ADDED", "MODIFIED", "DELETED"):
                            see(event.type, event.object)
                await asyncio.sleep(0.2)

        await asyncio.gather(
            follow(TRAIN_JOBS, self.progress.see_job),
            follow(MODEL_ENDPOINTS, self.progress.see_endpoint),
            follow(PODS, functools.partial(self._see_pod, client)),
            self.progress.show(),
        )

    def _see_pod(self, client: Client, change: str, pod: dict[str, Any]) -> None:
        self.progress.see_pod(change, pod)
        uid, started = pod["metadata"]["uid"], (pod.get("status") or {}).get("startTime")
        if (
            JOB_LABEL in (pod["metadata"].get("labels") or {})
            and started
            and uid not in self._followed
        ):
            self._followed[uid] = asyncio.create_task(self._keep_log(client, pod))

    async def _keep_log(self, client: Client, pod: dict[str, Any]) -> None:
        """Follows one worker's log into a file: the pod that leaves takes its log along."""
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        path = self._log_folder / f"{name}.{uid}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            while True:
                try:
                    async for line in client.logs(name, NAMESPACE, follow=True):
                        file.write(line.rstrip(b"\n") + b"\n")
                    return
                except BadRequest:  # it has started, but written nothing yet
                    await asyncio.sleep(0.1)
                except ApiError as error:
                    self.progress.say(f"the log of {name} broke off: {error}")
                    return

    @property
    def _log_folder(self) -> Path:
        return self.instance.home.parent / "worker-logs"

    async def _report(self, client: Client, burst: Burst) -> dict[str, Any]:
        ended = time.time_ns()
        usage = await self._usage(client, ended)
        lines = [line async for line in client.lines("/mizzen/v1/history", params={"since": "0"})]
        (self.instance.home.parent / "history.jsonl").write_bytes(b"\n".join(lines) + b"\n")
        await self._logs_kept()
        self.run = checker.assemble(checker.read_lines(sorted(self._log_folder.glob("*.log"))))
        inputs = report.Inputs(
            job=JOB,
            endpoint=ENDPOINT,
            history=[json.loads(line) for line in lines],
            usage=usage,
            decisions=await self._decisions(),
            requests=burst.outcomes,
            run=self.run,
            steps=self.size.steps,
            started=self._started,
            ended=ended,
        )
        slices = (await client.list(RESOURCE_SLICES))[0]
        node = (await client.list(NODES))[0][0]
        why = await self.instance.command("why", f"trainjob/{JOB}", "--all")
        return report.build(inputs, environment() | report.pool(slices, node)) | {"why": why}

    async def _usage(self, client: Client, until: int) -> list[dict[str, Any]]:
        """All usage records, once the agent has written them up to the given time."""
        limit = time.monotonic() + 20
        while True:
            usage = [record["spec"] for record in (await client.list(USAGE_RECORDS))[0]]
            ends: dict[str, int] = {}
            for spec in usage:
                ends[spec["device"]] = max(ends.get(spec["device"], 0), spec["end"])
            if ends and min(ends.values()) >= until:
                return usage
            if time.monotonic() > limit:
                raise DemoError("the node agent did not write its usage records within 20 s")
            await asyncio.sleep(0.5)

    async def _decisions(self) -> list[dict[str, Any]]:
        """What the gateway noted of its demands, with this machine's clock."""
        url, key = self.instance.gateway()
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{url}/debug/decisions", headers=headers) as answer,
        ):
            body: Any = await answer.json()
        return body["decisions"] if isinstance(body, dict) else body


def _after(seconds: float) -> Callable[[], bool]:
    limit = time.monotonic() + seconds
    return lambda: time.monotonic() > limit


async def perform(arguments: argparse.Namespace) -> int:
    """Runs the demo and writes its report and picture; the exit code."""
    size = SHORT if arguments.short else FULL
    home = Path(arguments.home).resolve()
    shutil.rmtree(home, ignore_errors=True)
    shutil.rmtree(home.parent / "worker-logs", ignore_errors=True)
    instance = Instance(home)
    progress = Progress(size.steps)
    demo = Demo(size, instance, progress)
    try:
        if arguments.undisturbed:
            await demo.undisturbed()
            return 0
        result = await demo.play()
    finally:
        progress.wipe()
        await instance.down()
    out = Path(arguments.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    (out / "demo-report.json").write_text(json.dumps(result, indent=1))
    draw(result, demo.run.losses, out / "demo-timeline.png")
    summary.show(result, demo.texts)
    print(f"\nreport: {out / 'demo-report.json'}\npicture: {out / 'demo-timeline.png'}")
    return summary.verdict(result)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--short", action="store_true", help="the same scenes, fewer steps")
    parser.add_argument(
        "--undisturbed", action="store_true", help="only train, for comparison by checker.py"
    )
    parser.add_argument("--out", default=".", help="folder for the report and the picture")
    parser.add_argument("--home", default=".demo/home", help="the instance's folder, made anew")
    arguments = parser.parse_args()
    try:
        return asyncio.run(perform(arguments))
    except KeyboardInterrupt:
        print("\ndemo: stopped", file=sys.stderr)
        return 130
    except (DemoError, ApiError, OSError) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
