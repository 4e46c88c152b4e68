"""`mizzen backup`"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from mizzen.cli.context import Context
from mizzen.cli.exits import FAILED, CliError
from mizzen.cli.verb import Verb


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="the backup to write, a tar file")


def run(context: Context) -> int:
    from mizzen.compose import backup
    from mizzen.host.clock import RealClock
    from mizzen.host.records import Damaged

    file = context.args.file
    try:
        taken = backup.backup(context.home, file, RealClock())
    except (backup.NotPossible, Damaged) as error:
        raise CliError(str(error), FAILED) from error
    except BlockingIOError as error:
        raise CliError(f"{error.strerror}: try again in a moment") from error
    print(
        f"{file} is whole: {taken.objects} objects, {taken.records} records of history, up to "
        f"revision {taken.revision}. It holds keys and tokens: keep it as safe as them. "
        f"Not in it: checkpoints ({context.home.checkpoints}), outputs, logs"
    )
    return 0


VERB = Verb(
    name="backup",
    summary="write objects, history, keys and settings of an instance into one file",
    example="mizzen backup ./monday.tar",
    configure=configure,
    run=run,
)
