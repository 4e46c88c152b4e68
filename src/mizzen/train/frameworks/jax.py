# pyright: basic
"""JAX: each rank computes on its own device; one more client carries the sum over ranks.

The user's programs run on JAX's ordinary local backend, which never changes. Only the
communicator (coordination service, gloo, and one tiny all-reduce program) belongs to a
formation, so re-forming costs milliseconds and no program is compiled or loaded again. The
price: parallelism is over data alone, `jax.devices()` shows this rank's device.

It calls jaxlib below `jax.distributed`, which allows one client in a process's life before
the first computation. Tried with jax 0.10; `tests/unit/train/frameworks/test_jax.py` notices a change.
"""

from __future__ import annotations

import atexit
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxlib import _jax, xla_client  # type: ignore[attr-defined]

from mizzen.train.environment import Environment
from mizzen.train.errors import TrainError
from mizzen.train.framework import Formation
from mizzen.train.jax_programs import Programs

_SINGLE = "--xla_cpu_multi_thread_eigen=false"  # a rank has half a core or one: threads only switch
_HEARTBEAT_S = 30  # the agent sees deaths by pidfd; this only frees ranks that lost their agent
_CONNECT_S = 120
_SHUTDOWN_S = 15
_POLL_S = 0.005
_LISTEN = "0A"  # TCP_LISTEN


class Jax:
    """The adapter; see `mizzen.train.framework.Framework` for what each method promises."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._link: _Link | None = None
        atexit.register(self.disconnect)  # for ranks that give up together, by leaving both loops
        flags = os.environ.get("XLA_FLAGS", "")  # read when the first computation begins
        if _SINGLE.partition("=")[0] not in flags:
            os.environ["XLA_FLAGS"] = f"{flags} {_SINGLE}".strip()
        if not jax.config.values.get("jax_platforms"):
            jax.config.update("jax_platforms", "cpu")

    def connect(self, formation: Formation) -> None:
        if formation.size > 1:
            self._link = _Link(formation, self._environment.pod_ip)

    def disconnect(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    def sum(self, tree: Any, step: int) -> Any:
        if self._link is None:
            return tree
        leaves, structure = jax.tree_util.tree_flatten(tree)
        return jax.tree_util.tree_unflatten(structure, self._link.sum(leaves, step))

    def scale(self, tree: Any, factor: float) -> Any:
        return tree if factor == 1 else jax.tree_util.tree_map(lambda leaf: leaf * factor, tree)

    def flatten(self, tree: Any) -> dict[str, Any]:
        pairs, _ = jax.tree_util.tree_flatten_with_path(tree)
        return {_name(path): np.asarray(leaf) for path, leaf in pairs}

    def unflatten(self, template: Any, leaves: Mapping[str, Any]) -> Any:
        return jax.tree_util.tree_map_with_path(lambda path, _: leaves[_name(path)], template)

    def compile(self, function: Callable[..., Any], examples: list[tuple[Any, ...]]) -> Any:
        folder = None if self._environment.alone else self._environment.checkpoints / "programs"
        return Programs(function, folder).prepare(examples, first=self._environment.rank)


FRAMEWORK = Jax


class _Link:
    """One formation's communicator: everything listens on this pod's own address only."""

    def __init__(self, formation: Formation, pod_ip: str) -> None:
        self._size = formation.size
        address = f"{formation.coordinator_ip}:{formation.coordinator_port}"
        self._service = None
        if formation.rank == 0:
            _require_free(formation)
            self._service = _jax.get_distributed_runtime_service(
                address,
                formation.size,
                heartbeat_timeout=_HEARTBEAT_S,
                shutdown_timeout=_SHUTDOWN_S,
            )
        else:
            _wait_until_listening(formation)
        self._runtime = _jax.get_distributed_runtime_client(
            address,
            formation.rank,
            init_timeout=_CONNECT_S,
            use_compression=False,
            heartbeat_timeout=_HEARTBEAT_S,
        )
        self._runtime.connect()
        client = xla_client.make_cpu_client(
            distributed_client=self._runtime,
            node_id=formation.rank,
            num_nodes=formation.size,
            collectives=_jax.make_gloo_tcp_collectives(self._runtime, hostname=pod_ip),
            num_devices=1,
        )
        self._device = client.local_devices()[0]
        mesh = Mesh(np.array(client.devices()), ("ranks",))
        self._split = NamedSharding(mesh, PartitionSpec("ranks"))
        self._whole = NamedSharding(mesh, PartitionSpec())
        self._programs: dict[int, Any] = {}
        self._mine = np.zeros((1, 0), np.float32)

    def sum(self, leaves: list[Any], step: int) -> list[Any]:
        """All leaves travel as one float32 vector; its last element checks that ranks agree."""
        arrays = [np.asarray(leaf) for leaf in leaves]
        count = sum(array.size for array in arrays) + 1
        if self._mine.size != count:
            self._mine = np.empty((1, count), np.float32)
        row, at = self._mine[0], 0
        for array in arrays:
            row[at : at + array.size] = array.reshape(-1)
            at += array.size
        row[at] = step
        total = self._reduce(count)
        if total[at] != np.float32(step) * self._size:
            raise TrainError(f"ranks disagree about the step: this one computes {step}")
        result, at = [], 0
        for array in arrays:
            part = total[at : at + array.size].reshape(array.shape)
            result.append(np.asarray(part, array.dtype))
            at += array.size
        return result

    def close(self) -> None:
        """Waits for all ranks, so that no rank's last message is lost, then disconnects."""
        self._programs.clear()
        self._runtime.shutdown()
        if self._service is not None:
            self._service.shutdown()

    def _reduce(self, count: int) -> np.ndarray:
        shape = (self._size, count)
        program = self._programs.get(count)
        if program is None:
            argument = jax.ShapeDtypeStruct(shape, np.float32, sharding=self._split)
            add = jax.jit(lambda rows: rows.sum(0), out_shardings=self._whole)
            program = self._programs[count] = add.lower(argument).compile()
        mine = jax.device_put(self._mine, self._device)
        rows = jax.make_array_from_single_device_arrays(shape, self._split, [mine])
        return np.asarray(program(rows).addressable_data(0))


def _require_free(formation: Formation) -> None:
    """Errors: TrainError where another process listens in rank 0's place; the service would end
    this process by a signal, without a word."""
    target = (formation.coordinator_ip, formation.coordinator_port)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ended connections may linger
        try:
            probe.bind(target)
        except OSError as error:
            raise TrainError(
                f"rank 0 cannot open its coordinator at {target[0]}:{target[1]}: {error.strerror};"
                " end the process that listens there"
            ) from error


def _wait_until_listening(formation: Formation) -> None:
    """Until rank 0's service accepts: gRPC would wait a whole second after a first refusal.

    Whoever else listens there first is not talked to: gradients would go where he says.
    """
    target = (formation.coordinator_ip, formation.coordinator_port)
    deadline = time.monotonic() + _CONNECT_S
    while True:
        try:
            socket.create_connection(target, timeout=1).close()
            owner = _listeners_user(*target)
            if owner in (os.geteuid(), None):
                return
            why = f"user {owner} listens there"
        except OSError as error:
            why = str(error.strerror or error)
        if time.monotonic() > deadline:
            raise TrainError(
                f"rank 0 did not open its coordinator at {target[0]}:{target[1]} within"
                f" {_CONNECT_S} s ({why})"
            )
        time.sleep(_POLL_S)


def _listeners_user(address: str, port: int) -> int | None:
    """The user who listens at an IPv4 address; None where the kernel does not say (proc(5))."""
    packed = socket.inet_aton(address)[::-1].hex().upper()
    mapped = "0000000000000000FFFF0000"  # gRPC listens at ::ffff:ADDRESS
    # One's own address goes before all addresses.
    places = (("tcp", packed), ("tcp6", mapped + packed), ("tcp", "0" * 8), ("tcp6", "0" * 32))
    for table, place in places:
        try:
            with open(f"/proc/net/{table}") as lines:
                for fields in map(str.split, lines):
                    if fields[1] == f"{place}:{port:04X}" and fields[3] == _LISTEN:
                        return int(fields[7])
        except OSError:
            continue
    return None


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")
