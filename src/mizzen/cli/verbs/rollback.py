"""`mizzen rollback`"""

from __future__ import annotations

from mizzen.cli.context import Context
from mizzen.cli.exits import FAILED, NOT_FOUND, CliError
from mizzen.cli.verb import Verb, nothing_to_configure

_SHOWN = 20


def run(context: Context) -> int:
    from mizzen.compose import rollback
    from mizzen.compose.settings import BadSettings
    from mizzen.host.records import Damaged

    home = context.home
    try:
        outcome = rollback.rollback(home)
    except (rollback.NotPossible, BadSettings, Damaged) as error:
        raise CliError(str(error), FAILED) from error
    except FileNotFoundError as error:
        if error.filename:
            raise
        raise CliError(f"{error} (home {home.root})", NOT_FOUND) from error
    version = outcome.version.emulation
    for line in outcome.lost[:_SHOWN]:
        print(line)
    if len(outcome.lost) > _SHOWN:
        print(f"... and {len(outcome.lost) - _SHOWN} more")
    if outcome.lost:
        raise CliError(
            f"nothing was changed: mizzen {version} does not know the {len(outcome.lost)} above; "
            "`mizzen up`, delete them, `mizzen down`, and roll back again",
            FAILED,
        )
    print(
        f"{home.store} has format {outcome.version.store_format}, nothing is lost: install mizzen "
        f"{version} and `mizzen up`. This version's `mizzen up --emulate-version {version}` keeps "
        "it so; without the option it takes the newer format again"
    )
    return 0


VERB = Verb(
    name="rollback",
    summary="make a stopped instance one that the minor version before can start",
    example="mizzen down\nmizzen rollback",
    configure=nothing_to_configure,
    run=run,
)
