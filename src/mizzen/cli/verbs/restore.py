"""`mizzen restore`"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from mizzen.cli.context import Context
from mizzen.cli.exits import FAILED, NOT_FOUND, CliError
from mizzen.cli.verb import Verb


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="a file of `mizzen backup`")
    parser.add_argument(
        "--replace", action="store_true", help="also where there is a store, which is moved aside"
    )


def run(context: Context) -> int:
    from mizzen.compose import backup
    from mizzen.host.records import Damaged

    file, home = context.args.file, context.home
    if not file.is_file():
        wrong = "is no file" if file.exists() else "does not exist"
        raise CliError(f"backup {file} {wrong}; give a file of `mizzen backup`", NOT_FOUND)
    try:
        taken, aside = backup.restore(home, file, replace=context.args.replace)
    except (backup.NotPossible, Damaged) as error:
        raise CliError(str(error), FAILED) from error
    if aside is not None:
        print(f"the store that was there lies in {aside}; remove it when you no longer need it")
    print(
        f"{home.store} is as it was on {taken.taken}: {taken.objects} objects; "
        "`mizzen up` goes on with them"
    )
    return 0


VERB = Verb(
    name="restore",
    summary="put a stopped instance back to a backup",
    example="mizzen restore ./monday.tar",
    configure=configure,
    run=run,
)
