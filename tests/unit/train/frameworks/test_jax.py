"""Tests of the JAX adapter: sums over real processes' communicators, and kept programs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("jax")

from mizzen.train.errors import TrainError
from mizzen.train.framework import Formation
from mizzen.train.frameworks import jax as jax_adapter
from mizzen.train.jax_programs import Programs
from support.stranger import needs_root, stranger_at_work

RANK = """
import sys
from pathlib import Path
import numpy as np
from mizzen.train.environment import Environment
from mizzen.train.framework import Formation
from mizzen.train.frameworks.jax import Jax

rank, network = int(sys.argv[1]), sys.argv[2]
here = Path(".")
own = f"127.{network}.0.{10 + rank}"
adapter = Jax(Environment(here, here, rank, 2, "", here, here, own, False))
for generation in (1, 2):  # the second formation follows at once on the next port
    adapter.connect(Formation(generation, 2, rank, f"127.{network}.0.10", 29500 + generation))
    tree = {"a": np.full((2, 3), 1.0 + rank, np.float32), "b": [np.float32(10 * rank)]}
    total = adapter.sum(tree, 7)
    mean = adapter.scale(total, 0.5)
    print(total["a"][1, 2], total["b"][0], mean["a"][0, 0], total["a"].shape, total["a"].dtype)
    adapter.disconnect()
"""


def test_two_ranks_sum_and_form_again() -> None:
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, str(rank), "205"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for process in ranks:
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        lines = [line for line in output.splitlines() if not line.startswith("[Gloo]")]
        assert lines == ["3.0 10.0 1.5 (2, 3) float32"] * 2


def test_a_coordinators_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        formation = Formation(1, 2, 0, "127.0.0.1", port)
        with pytest.raises(TrainError, match=rf"127\.0\.0\.1:{port}: Address already in use"):
            jax_adapter._Link(formation, "127.0.0.1")  # pyright: ignore[reportPrivateUsage]


@needs_root
def test_a_rank_talks_to_no_coordinator_of_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    program = """
import signal, socket
become()
listener = socket.create_server(("127.205.0.30", 0))
print(listener.getsockname()[1], flush=True)
signal.pause()
"""
    monkeypatch.setattr(jax_adapter, "_CONNECT_S", 0.05)
    with stranger_at_work(program) as port:
        formation = Formation(1, 2, 1, "127.205.0.30", int(port))
        with pytest.raises(TrainError, match="user 12345 listens there"):
            jax_adapter._wait_until_listening(formation)  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("address", ["127.205.0.31", "::ffff:127.205.0.31", "0.0.0.0", "::"])
def test_the_user_of_a_listener_is_known_however_it_listens(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as listener:
        listener.bind((address, 0))
        listener.listen()
        port = listener.getsockname()[1]
        user = jax_adapter._listeners_user("127.205.0.31", port)  # pyright: ignore[reportPrivateUsage]
        assert user == os.geteuid()


def double(x: Any) -> Any:
    return x * 2


def test_a_kept_program_is_loaded_and_a_broken_one_compiled_again(tmp_path: Path) -> None:
    example = (np.arange(3.0, dtype=np.float32),)
    assert Programs(double, tmp_path).prepare([example], first=0)(*example).tolist() == [0, 2, 4]
    (kept,) = [path for path in tmp_path.iterdir() if not path.suffix]
    before = kept.stat().st_mtime_ns
    assert Programs(double, tmp_path)(*example).tolist() == [0, 2, 4]
    assert kept.stat().st_mtime_ns == before
    kept.write_bytes(kept.read_bytes()[:-5])
    assert Programs(double, tmp_path)(*example).tolist() == [0, 2, 4]
    assert kept.stat().st_mtime_ns != before


def test_neighbours_share_the_compiling(tmp_path: Path) -> None:
    examples = [(np.zeros(count, np.float32),) for count in (1, 2, 3)]
    results: list[list[list[float]]] = []

    def rank(number: int) -> None:
        programs = Programs(double, tmp_path).prepare(examples, first=number)
        results.append([programs(np.ones(count, np.float32)).tolist() for count in (1, 2, 3)])

    threads = [threading.Thread(target=rank, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [[[2.0] * count for count in (1, 2, 3)]] * 3
    assert len([path for path in tmp_path.iterdir() if not path.suffix]) == 3
