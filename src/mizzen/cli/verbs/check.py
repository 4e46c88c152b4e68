"""`mizzen check`"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from mizzen.cli.context import Context
from mizzen.cli.exits import FAILED, NOT_FOUND, CliError
from mizzen.cli.verb import Verb


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--salvage", metavar="FOLDER", type=Path,
        help="make a new store there of all that can be read",
    )  # fmt: skip


def run(context: Context) -> int:
    from mizzen.compose import checking
    from mizzen.host.records import Damaged

    home, folder = context.home, context.args.salvage
    try:
        verdict = checking.check(home) if folder is None else checking.salvage(home, folder)
    except Damaged as error:
        raise CliError(str(error), FAILED) from error
    except FileNotFoundError as error:
        if error.filename:
            raise
        raise CliError(f"{error} (home {home.root})", NOT_FOUND) from error
    except FileExistsError as error:
        raise CliError(f"{folder} is there already: name a folder that is not") from error
    except BlockingIOError as error:
        raise CliError(f"{error.strerror}: stop the instance with `mizzen down` first") from error
    for line in verdict.lines:
        print(line)
    return 0 if verdict.is_whole else FAILED


VERB = Verb(
    name="check",
    summary="verify the store of a stopped instance, or save what is left of a damaged one",
    example="mizzen check\nmizzen check --salvage ./saved",
    configure=configure,
    run=run,
)
