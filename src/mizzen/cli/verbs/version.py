"""`mizzen version`"""

from __future__ import annotations

import platform
from contextlib import suppress

import mizzen
from mizzen.base.versions import EffectiveVersion, NotEmulated
from mizzen.cli.context import Context
from mizzen.cli.output import emit
from mizzen.cli.verb import Verb, nothing_to_configure


def run(context: Context) -> int:
    version = _effective(context)
    row = {
        "version": mizzen.__version__,
        "emulation": version.emulation,
        "minCompatibility": version.min_compatibility,
        "python": platform.python_version(),
    }
    columns = [
        ("VERSION", "version"),
        ("EMULATION", "emulation"),
        ("MIN-COMPATIBILITY", "minCompatibility"),
        ("PYTHON", "python"),
    ]
    emit(context.args.output, [row], columns, "version")
    return 0


def _effective(context: Context) -> EffectiveVersion:
    """As this instance was last started; the binary's own where nobody can say."""
    from mizzen.compose import settings

    with suppress(settings.BadSettings, NotEmulated, OSError):
        return settings.current(context.home).version
    return EffectiveVersion()


VERB = Verb(
    name="version",
    summary="print the version",
    example="mizzen version -o json",
    configure=nothing_to_configure,
    run=run,
    prints_data=True,
)
