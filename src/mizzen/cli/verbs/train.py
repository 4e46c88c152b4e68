"""`mizzen train`"""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING

from mizzen.cli.context import Context, say
from mizzen.cli.exits import NOT_FOUND, REFUSED, USAGE, CliError
from mizzen.cli.numbers import whole
from mizzen.cli.verb import Verb

if TYPE_CHECKING:
    from mizzen.cli.core.workloads import Training
    from mizzen.client.client import Client


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("script", help="the training program (Python)")
    parser.add_argument("--name", help="name of the TrainJob (default: the script's)")
    parser.add_argument(
        "--workers", type=whole(1), metavar="N", help="wished number of workers (1)"
    )
    parser.add_argument("--min-workers", type=whole(1), metavar="N", help="may shrink to this many")
    parser.add_argument("--max-workers", type=whole(1), metavar="N", help="may grow to this many")
    parser.add_argument(
        "--device-class", default="cpu-core.mizzen.dev", metavar="CLASS", help="one for each worker"
    )
    parser.add_argument("--runtime", default="jax-distributed", help="ClusterTrainingRuntime")
    parser.add_argument("--env", action="append", default=[], metavar="K=V", help="may be repeated")
    parser.add_argument(
        "-f", "--follow", action="store_true", help="show its log until it is done; fail if it does"
    )


def run(context: Context) -> int:
    script = Path(context.args.script).expanduser().absolute()
    if not script.is_file():
        wrong = "is no regular file" if script.exists() else "does not exist"
        if script.is_dir():
            wrong = "is a folder"
        raise CliError(f"training script {script} {wrong}; give the path of a file", NOT_FOUND)
    _check_language(script)
    env = _environment(context.args.env)
    return context.with_client(lambda client: _create(context, client, script, env))


async def _create(context: Context, client: Client, script: Path, env: dict[str, str]) -> int:
    from mizzen.base.errors import AlreadyExists
    from mizzen.base.resources import TRAIN_JOBS
    from mizzen.cli.core.workloads import train_job
    from mizzen.cli.following import follow_train_job

    training = await _training_of(context, client, script, env)
    try:
        await client.create(TRAIN_JOBS, train_job(training))
    except AlreadyExists as error:
        raise CliError(
            f"{error.message}: `mizzen delete trainjob/{training.name}` first, or choose another --name",
            REFUSED,
        ) from error
    print(f"trainjob/{training.name} created")
    if context.args.follow:
        try:
            return await follow_train_job(client, training.namespace, training.name)
        except asyncio.CancelledError:  # Ctrl-C ends the watching, not the training
            say(
                f"\ntrainjob/{training.name} goes on: `mizzen logs -f trainjob/{training.name}` follows it"
            )
            raise
    say(f"watch it: `mizzen logs -f trainjob/{training.name}`, `mizzen ps`")
    return 0


async def _training_of(
    context: Context, client: Client, script: Path, env: dict[str, str]
) -> Training:
    from mizzen.cli.core.workloads import Training, name_from

    args = context.args
    workers = next((n for n in (args.workers, args.max_workers) if n is not None), 1)
    low = 1 if args.min_workers is None else args.min_workers
    high = workers if args.max_workers is None else args.max_workers
    if not low <= workers <= high:
        raise CliError(
            f"--min-workers {low}, --workers {workers}, --max-workers {high} are out of order; "
            "choose min <= workers <= max",
            USAGE,
        )
    await _require_runtime(client, args.runtime)
    return Training(
        name=name_from(script.stem) if args.name is None else args.name,
        namespace=context.namespace,
        script=str(script),
        directory=_directory(),
        arguments=args.rest,
        workers=workers,
        runtime=args.runtime,
        device_resource=await _extended_resource(client, args.device_class),
        min_workers=args.min_workers,
        max_workers=args.max_workers,
        env=env,
    )


def _directory() -> str:
    try:
        here = str(Path.cwd())
        here.encode()
    except FileNotFoundError:
        raise CliError("the present folder is gone: change into one that is there") from None
    except UnicodeEncodeError:
        raise CliError("the path of the present folder is not UTF-8: start in another") from None
    return here


async def _require_runtime(client: Client, name: str) -> None:
    """Fails early where the runtime is missing: the job itself would fail at once, unseen."""
    from mizzen.base.objects import name_of
    from mizzen.base.resources import CLUSTER_TRAINING_RUNTIMES

    known = {name_of(found) for found in (await client.list(CLUSTER_TRAINING_RUNTIMES))[0]}
    if name not in known:
        there = ", ".join(sorted(known)) or "none"
        raise CliError(f"--runtime {name!r} does not exist; there are: {there}", NOT_FOUND)


async def _extended_resource(client: Client, device_class: str) -> str:
    from mizzen.base.reading import text
    from mizzen.cli.finding import find_device_class

    found = await find_device_class(client, device_class)
    name = text(found, "spec", "extendedResourceName")
    if not name:
        raise CliError(
            f"device class {device_class} has no extendedResourceName; write the TrainJob by hand "
            "and claim its devices with a ResourceClaimTemplate"
        )
    return name


def _check_language(script: Path) -> None:
    with script.open("rb") as file:
        first = file.readline(200)
    if first.startswith(b"#!") and b"python" not in first:
        raise CliError(
            f"training script {script} is a program for {first[2:].decode(errors='replace').strip()}"
            ", and Python will run it; give a Python program that starts it",
            USAGE,
        )


def _environment(pairs: list[str]) -> dict[str, str]:
    env: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise CliError(f"--env {pair!r} is not NAME=VALUE", USAGE)
        env[name] = value
    return env


VERB = Verb(
    name="train",
    summary="run a training program on the pool's devices",
    example="mizzen train train.py --workers 2 --follow\n"
    "mizzen train train.py --min-workers 1 --max-workers 3 -- --steps 400",
    configure=configure,
    run=run,
    namespaced=True,
    rest="ARGS",
)
