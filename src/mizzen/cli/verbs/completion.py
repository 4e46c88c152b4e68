"""`mizzen completion`"""

from __future__ import annotations

from argparse import ArgumentParser

from mizzen.cli import verb
from mizzen.cli.context import Context
from mizzen.cli.verb import Verb


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="for which shell")


def run(context: Context) -> int:
    import shtab

    from mizzen.cli.main import build_parser

    print(shtab.complete(build_parser(verb.names()), shell=context.args.shell))
    return 0


VERB = Verb(
    name="completion",
    summary="print a completion script for your shell",
    example='eval "$(mizzen completion bash)"',
    configure=configure,
    run=run,
)
