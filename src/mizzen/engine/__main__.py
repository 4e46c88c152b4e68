"""python -m mizzen.engine --model PATH --name NAME: serves one model until SIGTERM."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mizzen.base.serving import SOCKET_VARIABLE
from mizzen.base.termination import TERMINATION_LOG, termination_message
from mizzen.engine.backend import BACKEND_DEFAULT, find_backend
from mizzen.engine.model import LoadError

KV_CACHE_GIB = 2.0
GRACE_S = 18.0  # below the 20 s after which a replica's pod is killed


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 after SIGTERM, 1 when it cannot serve, 2 for wrong arguments."""
    options = parser().parse_args(arguments)
    properties: dict[str, str] = {}
    for entry in options.property:
        key, _, value = str(entry).partition("=")
        if not key or not value:
            print(f"--property {entry}: write KEY=VALUE", file=sys.stderr)
            return 2
        properties[key] = value
    rank_file = os.environ.get("MIZZEN_RANK_FILE")
    serving = os.environ.get(SOCKET_VARIABLE)
    try:
        backend = find_backend(options.backend)
        model = backend.find_model(options.model, options.context_length)
        # aiohttp reads all CA certificates at import (50 ms of CPU, measured), for TLS
        # connections that the engine never makes.
        os.environ.setdefault("SSL_CERT_FILE", os.devnull)
        from mizzen.engine.run import EngineConfig, run_engine

        config = EngineConfig(
            backend=backend,
            model=model,
            name=options.name or options.model.stem,
            host=options.host,
            port=options.port,
            batch_max=options.max_batch_size,
            kv_cache_bytes=int(options.kv_cache_gib * 2**30),
            properties=properties,
            grace_s=options.grace_seconds,
            rank_file=Path(rank_file) if rank_file else None,
            socket=Path(serving) if serving else None,
        )
        return run_engine(config)
    except (LoadError, OSError) as error:
        print(error, file=sys.stderr)
        write_termination(error)
        return 1


def write_termination(error: Exception) -> None:
    """Writes the reason and message to the termination log, where the agent has named one."""
    path = os.environ.get(TERMINATION_LOG)
    if path:
        reason = error.reason if isinstance(error, LoadError) else LoadError.reason
        with contextlib.suppress(OSError):
            Path(path).write_text(termination_message(reason, str(error)))


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mizzen.engine",
        description="Serves one model over OpenAI's HTTP API with continuous batching.",
        epilog="example: python -m mizzen.engine --model tiny.gguf --name tiny --port 8000",
    )
    add = parser.add_argument
    add("--model", type=Path, required=True, help="a .gguf file, or a folder with a model")
    add("--name", default="", help="the served model's name (default: the file's)")
    add("--host", default=os.environ.get("POD_IP") or "127.0.0.1")
    add("--port", type=int, default=8000)
    add("--backend", default=BACKEND_DEFAULT, help="the library that computes it")
    add("--max-batch-size", type=_positive, default=16, metavar="N", help="sequences at once")
    add("--context-length", type=_positive, default=None, metavar="N", help="default: the model's")
    add("--property", action="append", default=[], metavar="KEY=VALUE",
        help="a property of the library, e.g. INFERENCE_PRECISION_HINT=f32")  # fmt: skip
    add("--kv-cache-gib", type=float, default=KV_CACHE_GIB, metavar="GIB", help="at most")
    add("--grace-seconds", type=float, default=GRACE_S, metavar="S",
        help="how long requests may go on after SIGTERM")  # fmt: skip
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


if __name__ == "__main__":
    sys.exit(main())
