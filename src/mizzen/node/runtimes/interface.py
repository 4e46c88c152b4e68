"""A runtime as the agent sees it: sandboxes for pods, and runs of containers in them.

The agent gives the names. A sandbox is called by its pod's uid, a run by its key
"<uid>/<container>/<number>"; a command run beside it has one part more. They are texts, so that an
agent which follows a killed one knows them; what a runtime has behind a name (a pid, a bundle, a
virtual machine) is its own. Runs outlive the agent. Words follow CRI and the OCI specification.

A run has a *record*, a JSON file replaced whole as it starts and as it ends, before anybody is
told: `state` ("running", "exited"), `started`, `finished` (ns since the epoch), `code` (0 to 255,
128 + signal), `signal`, `failure` (why the program could not be run), `oom` (a process of the pod
was killed at its memory limit), `oom_anywhere` (one of the machine); more is the runtime's own.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from mizzen.base.clock import Clock
from mizzen.base.objects import Obj
from mizzen.node.podfiles import PodFiles

BEST_EFFORT = "best-effort"
PIDS_MAX = 4096

Bundle = Mapping[str, Any]  # what a runtime has made of a container; read by that runtime alone


@dataclass(frozen=True, slots=True)
class Guarantees:
    """The isolation and limits that a runtime really holds on this machine."""

    isolation: str  # "none": programs can do what the user can who runs Mizzen
    limits: str  # what enforces `Resources`: "cgroup-v1", "cgroup-v2" or BEST_EFFORT


@dataclass(frozen=True, slots=True)
class Resources:
    """Limits and cores of a sandbox; None leaves a resource unlimited."""

    cpu_milli: int | None = None
    memory_bytes: int | None = None
    pids: int | None = PIDS_MAX
    cpus: tuple[int, ...] = ()  # cores that it runs on; () for all


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A container with everything that its pod and its node say, before a runtime sees it.

    Folders are those of the node: a runtime with a root of its own shows them at the same paths.
    """

    pod: Obj
    container: Obj
    identity: Mapping[str, str]  # the pod's name and the like; the program sees them, `$()` not
    variables: Mapping[str, str]  # command and args may refer to these
    volumes: Mapping[str, str]  # name -> folder, filled
    hosts: Mapping[str, str]  # "<hostname>.<subdomain>" -> address
    files: PodFiles

    @property
    def name(self) -> str:
        return self.container["name"]


@dataclass(frozen=True, slots=True)
class Stats:
    """Use of a sandbox so far, ended runs included."""

    cpu_ns: int


@dataclass(frozen=True, slots=True)
class ExecResult:
    """The end of a command run beside a container; `output`: its first bytes, or what failed."""

    code: int
    output: str


@dataclass(frozen=True, slots=True)
class Stdio:
    """The streams that a client wants of a program; on a terminal output and errors are one."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False


class ExecFailed(Exception):
    """A command that could not be started, or a run that is not there; the message says why."""


class Streams(ABC):
    """A program's streams as a client has them: those that it wanted, else None.

    Whoever reads slowly slows the program down, nothing is kept for it beyond the pipes.
    """

    stdin: asyncio.StreamWriter | None = None
    stdout: asyncio.StreamReader | None = None
    stderr: asyncio.StreamReader | None = None

    @abstractmethod
    def resize(self, rows: int, columns: int) -> None:
        """Sets the terminal's size; nothing where there is none."""

    @abstractmethod
    async def wait(self) -> ExecResult:
        """The end of the program; what it wrote may still be unread."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of the streams: a program that goes on is hung up on (SIGHUP on a terminal,
        SIGPIPE as it writes), and not killed, as upstream's runtimes leave it."""


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The program runs; `id` is what people may call it, `at` ns since the epoch."""

    key: str
    id: str
    at: int


@dataclass(frozen=True, slots=True)
class RunFailed:
    """Nothing was started, for want of something that is not the program's."""

    key: str
    message: str


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The run ended with all its processes, or its program could not be run."""

    key: str
    record: Obj


@dataclass(frozen=True, slots=True)
class RunsListed:
    """The runtime has asked anew what runs: ends may have gone unheard, their records tell."""


RunEvent = RunStarted | RunFailed | RunEnded | RunsListed


def run_key(uid: str, container: str, number: int) -> str:
    """The name of a run for runtimes."""
    return f"{uid}/{container}/{number}"


def split_key(key: str) -> tuple[str, str, int, str]:
    """(uid, container, run number, what of it: "" for the run itself, else probe or hook)."""
    uid, container, number, *rest = key.split("/")
    return uid, container, int(number), rest[0] if rest else ""


class Runtime(ABC):
    """Runs pods in one way; every method is called in the event loop, `bundle` in a thread."""

    handler: ClassVar[str]  # what RuntimeClasses call it
    guarantees: Guarantees

    @abstractmethod
    def __init__(self, state_dir: Path) -> None:
        """`state_dir` is the node's: what must outlive the agent lies there or below."""

    @classmethod
    def probe(cls) -> str:
        """Tries whether it can run on this machine: "", or what is lacking."""
        return ""

    @classmethod
    @abstractmethod
    def end_all(cls, state_dir: Path, clock: Clock) -> str:
        """Ends what an agent has left running, in blocking calls; what was done, "" for nothing.

        The pods are marked as interrupted (`PodFiles.interrupt`).
        """

    @property
    @abstractmethod
    def running(self) -> Mapping[str, str]:
        """Id by key of what runs now, commands beside containers included."""

    @abstractmethod
    async def connect(self, on_event: Callable[[RunEvent], None]) -> None:
        """Finds what runs since before this agent; sandboxes without a run are removed."""

    @abstractmethod
    async def watch(self) -> None:
        """Keeps what holds the runs alive and connected, until cancelled or closed."""

    @abstractmethod
    def create(self, uid: str, resources: Resources) -> None:
        """Makes the pod's sandbox, or takes up the one that is there."""

    @abstractmethod
    def bundle(self, spec: ContainerSpec) -> Bundle:
        """Makes of a container what `start` needs. Errors: Unresolved: it cannot run here."""

    @abstractmethod
    def start(self, key: str, bundle: Bundle, log: Path, record: Path) -> None:
        """Starts a run, its output in CRI form; `RunStarted`, `RunFailed`, `RunEnded` follow.

        Errors: OSError, ValueError where it cannot even be asked for.
        """

    @abstractmethod
    def signal(self, key: str, number: int) -> None:
        """SIGKILL reaches all of the run, other signals its first process; none that is gone."""

    @abstractmethod
    async def exec(
        self, key: str, what: str, bundle: Bundle, argv: Sequence[str], timeout_s: float
    ) -> ExecResult:
        """Runs a command beside a run, as "<key>/<what>". Errors: TimeoutError, after killing it;
        ValueError for what no program can be given."""

    @abstractmethod
    async def open_exec(
        self, key: str, what: str, bundle: Bundle, argv: Sequence[str], stdio: Stdio
    ) -> Streams:
        """Starts a command beside a run, as "<key>/<what>", with streams; it ends with the run.

        Errors: ExecFailed where it does not start; ValueError for what no program can be given.
        """

    @abstractmethod
    async def attach(self, key: str, stdio: Stdio) -> Streams:
        """The streams of a run from now on. Errors: ExecFailed where it does not run."""

    @abstractmethod
    async def connect_port(
        self, uid: str, address: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to what the pod itself listens to. Errors: OSError."""

    @abstractmethod
    def resize(self, uid: str, resources: Resources) -> None:
        """Changes what a sandbox may use while it runs."""

    @abstractmethod
    def stats(self, uid: str) -> Stats: ...

    @abstractmethod
    def pids(self, uid: str) -> Sequence[int]:
        """The sandbox's processes as this machine numbers them."""

    @abstractmethod
    def kill_lost(self, uid: str, record: Obj) -> None:
        """Kills the processes of a run that its record says is running and that has no handle."""

    @abstractmethod
    def remove(self, uid: str) -> None:
        """Ends what is left in the sandbox and removes it; nothing where there is none."""

    @abstractmethod
    async def shutdown(self) -> None:
        """Kills everything that runs and ends what held it; `close` follows."""

    @abstractmethod
    async def close(self) -> None:
        """Leaves everything running."""
