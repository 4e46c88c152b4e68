"""`mizzen install`"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from mizzen.cli.context import Context, say
from mizzen.cli.exits import NOT_FOUND, USAGE, CliError
from mizzen.cli.verb import Verb


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("--kubeconfig", metavar="FILE", help="the cluster to install on")
    parser.add_argument("--context", default="", help="of the kubeconfig (default: its current)")
    parser.add_argument(
        "--image", default="mizzen:latest", help="of Mizzen, built by you (default: mizzen:latest)"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print the manifests as YAML and change nothing"
    )


def run(context: Context) -> int:
    from mizzen.compose.manifests import manifests

    objects = manifests(context.args.image)
    if context.args.dry_run:
        import yaml

        print(yaml.safe_dump_all(objects, sort_keys=False), end="")
        return 0
    if not context.args.kubeconfig:
        raise CliError("which cluster? say --kubeconfig FILE, or --dry-run to only look", USAGE)
    path = Path(context.args.kubeconfig).expanduser().absolute()
    if not path.exists() or path.is_dir():  # a pipe will do
        wrong = "is a folder" if path.exists() else "does not exist"
        raise CliError(f"kubeconfig {path} {wrong}; give the path of a file", NOT_FOUND)
    import asyncio

    from mizzen.client.client import Client
    from mizzen.compose.checks import problems
    from mizzen.compose.install import install

    async def apply() -> int:
        async with Client.from_kubeconfig(
            path, context=context.args.context, user_agent="mizzen-cli"
        ) as client:
            async for done in install(client, objects):
                print(f"{done.kind} {done.name}: {done.verdict}", flush=True)
            say(_how_to_build(context.args.image))
            for problem in await problems(client):
                say(f"mizzen: {problem}")
        return 0

    return asyncio.run(apply())


def _how_to_build(image: str) -> str:
    """Nobody publishes an image of Mizzen: whoever installs it builds it, from this repository."""
    return (
        f"mizzen: its pods run the image {image}, which you build in Mizzen's repository: "
        f"`podman build -f image/Containerfile -t {image} .` and `podman push {image}`; or, without "
        f"builder and registry, `python image/build.py --name {image} --output mizzen.tar` and on "
        "each node `ctr -n k8s.io images import mizzen.tar`"
    )


VERB = Verb(
    name="install",
    summary="put Mizzen beside the scheduler of a Kubernetes cluster",
    example="mizzen install --dry-run > mizzen.yaml\nmizzen install --kubeconfig ~/.kube/config --image registry.example/mizzen:1",
    configure=configure,
    run=run,
)
