"""`mizzen serve`"""

from __future__ import annotations

import asyncio
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING

from mizzen.cli.context import Context, say
from mizzen.cli.exits import FAILED, NOT_FOUND, REFUSED, TIMED_OUT, USAGE, CliError
from mizzen.cli.numbers import seconds, whole
from mizzen.cli.verb import Verb

if TYPE_CHECKING:
    from mizzen.base.objects import Obj
    from mizzen.cli.core.workloads import Serving
    from mizzen.client.client import Client

_HOPELESS = ("ModelNotFound", "EngineFailed", "InvalidModel")


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("model", help="a .gguf file, or a folder with an OpenVINO model")
    parser.add_argument("--name", help="name of the endpoint and the model (default: the file's)")
    parser.add_argument(
        "--min", type=whole(), default=1, metavar="N", help="least replicas (1; 0: to zero)"
    )
    parser.add_argument("--max", type=whole(1), default=None, metavar="N", help="most replicas (1)")
    parser.add_argument(
        "--concurrency",
        type=whole(1),
        metavar="N",
        help="requests in flight that one replica should have",
    )
    parser.add_argument(
        "--device-class",
        default="cpu-core.mizzen.dev",
        metavar="CLASS",
        help="of each replica (cpu-core.mizzen.dev)",
    )
    parser.add_argument(
        "--devices", type=whole(1), default=1, metavar="N", help="devices per replica (1)"
    )
    parser.add_argument(
        "--max-batch", type=whole(1), metavar="N", help="sequences computed together"
    )
    parser.add_argument(
        "--context-length",
        type=whole(1),
        metavar="TOKENS",
        help="of a request and its answer (the model's)",
    )
    parser.add_argument("--precision", default="", metavar="TYPE", help="f32 for exact results")
    parser.add_argument("--timeout", type=seconds, default=300.0, metavar="S", help="to wait (300)")
    parser.add_argument("--no-wait", action="store_true", help="do not wait until it is ready")


def run(context: Context) -> int:
    args = context.args
    model = Path(args.model).expanduser().absolute()
    if not model.exists():
        raise CliError(f"model {model} does not exist; give a .gguf file or a folder", NOT_FOUND)
    most = max(1, args.min) if args.max is None else args.max
    if args.min > most:
        raise CliError(f"--min {args.min} --max {most} is not a range; choose min <= max", USAGE)
    return context.with_client(
        lambda client: _serve(context, client, _serving_of(context, model, most))
    )


def _serving_of(context: Context, model: Path, most: int) -> Serving:
    from mizzen.cli.core.workloads import Serving, name_from

    args = context.args
    return Serving(
        name=name_from(model.stem if model.is_file() else model.name)
        if args.name is None
        else args.name,
        namespace=context.namespace,
        model=str(model),
        min_replicas=args.min,
        max_replicas=most,
        device_class=args.device_class,
        devices=args.devices,
        concurrency=args.concurrency,
        max_batch=args.max_batch,
        context_length=args.context_length,
        precision=args.precision,
    )


async def _serve(context: Context, client: Client, serving: Serving) -> int:
    from mizzen.base.errors import AlreadyExists
    from mizzen.base.resources import MODEL_ENDPOINTS
    from mizzen.cli.core.workloads import model_endpoint
    from mizzen.cli.finding import find_device_class

    await find_device_class(client, serving.device_class)
    try:
        await client.create(MODEL_ENDPOINTS, model_endpoint(serving))
    except AlreadyExists as error:
        raise CliError(
            f"{error.message}: `mizzen delete modelendpoint/{serving.name}` first, or choose another "
            "--name",
            REFUSED,
        ) from error
    print(f"modelendpoint/{serving.name} created")
    if serving.min_replicas > 0 and not context.args.no_wait:
        try:
            await _wait_until_ready(client, serving, context.args.timeout)
        except asyncio.CancelledError:  # Ctrl-C ends the waiting, not the endpoint
            say(
                f"\nmodelendpoint/{serving.name} stays: `mizzen ps` shows it, "
                f"`mizzen delete modelendpoint/{serving.name}` removes it"
            )
            raise
    _print_usage(context, serving.name)
    return 0


async def _wait_until_ready(client: Client, serving: Serving, timeout_s: float) -> None:
    from mizzen.base.objects import condition
    from mizzen.base.resources import MODEL_ENDPOINTS

    began = time.monotonic()
    said = ""
    while True:
        endpoint = await client.get(MODEL_ENDPOINTS, serving.name, serving.namespace)
        ready = condition(endpoint, "Ready") or {}
        if ready.get("status") == "True":
            return
        if ready.get("reason") in _HOPELESS:
            raise CliError(f"{ready.get('reason')}: {ready.get('message')}", FAILED)
        text = await _progress(client, serving, ready)
        if text != said:
            say(f"  {time.monotonic() - began:5.1f} s  {text}")
            said = text
        if time.monotonic() - began > timeout_s:
            raise CliError(
                f"modelendpoint/{serving.name} is not ready after {timeout_s:.0f} s ({text}); "
                f"see `mizzen why modelendpoint/{serving.name}`",
                TIMED_OUT,
            )
        await asyncio.sleep(0.25)


async def _progress(client: Client, serving: Serving, ready: Obj) -> str:
    from mizzen.base.names import ENDPOINT
    from mizzen.base.objects import condition
    from mizzen.base.resources import PODS
    from mizzen.cli.core.listing import pod_status

    pods, _ = await client.list(PODS, serving.namespace, labels=f"{ENDPOINT}={serving.name}")
    for pod in pods:
        scheduled = condition(pod, "PodScheduled") or {}
        if scheduled.get("status") == "False":
            return f"waits for devices: {scheduled.get('message')}"
    states = ", ".join(f"{pod['metadata']['name']} {pod_status(pod)}" for pod in pods)
    return states or str(ready.get("message") or "waiting for the controller")


def _print_usage(context: Context, name: str) -> None:
    from mizzen.host.pki import load_api_keys

    roles = {role.role: role.address for role in context.running().roles}
    if not roles.get("gateway"):
        raise CliError(
            f"modelendpoint/{name} is made, but the record of where the gateway listens is damaged: "
            "`mizzen down`, `mizzen up`"
        )
    base, key = f"{roles['gateway']}/v1", load_api_keys(context.home)[0]
    print(f"base URL  {base}\nAPI key   {key}\nmodel     {name}\ntry it:")
    body = f'{{"model": "{name}", "prompt": "import ", "max_tokens": 32}}'
    print(
        f"  curl {base}/completions -H 'Authorization: Bearer {key}' \\\n"
        f"    -H 'Content-Type: application/json' -d '{body}'"
    )


VERB = Verb(
    name="serve",
    summary="serve a model behind an OpenAI-compatible endpoint",
    example="mizzen serve tiny.gguf --max 3 --concurrency 8\nmizzen serve ./model --name tiny --min 0",
    configure=configure,
    run=run,
    namespaced=True,
)
