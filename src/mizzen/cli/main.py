"""The `mizzen` command: finds the verb, runs it, turns every failure into one line."""

from __future__ import annotations

import os
import sys

# What PYTHONPATH names stands behind Python's own modules and ours: a json.py there is no json.
sys.path.sort(key=os.environ.get("PYTHONPATH", "").split(os.pathsep).__contains__)

import argparse
import difflib
import errno
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

import mizzen
from mizzen.base.errors import ApiError
from mizzen.cli import exits, verb
from mizzen.cli.context import Context
from mizzen.cli.exits import CliError
from mizzen.cli.output import FORMATS, one_line
from mizzen.host.home import BadHome
from mizzen.host.inherited import keep_own_rights, open_standard_files, print_anything
from mizzen.host.records import Damaged


class Parser(argparse.ArgumentParser):
    """argparse, with errors in our form: one line that says what to type next."""

    def error(self, message: str) -> NoReturn:
        print(f"mizzen: {message}; see `{self.prog} --help`", file=sys.stderr)
        raise SystemExit(exits.USAGE)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code (see `exits`)."""
    if argv is None:
        open_standard_files()
        _speak_utf8()
        keep_own_rights()
        print_anything()
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        _check_utf8(words)
        code = _run(words)
        sys.stdout.flush()
        return code
    except CliError as error:
        return _fail(str(error), error.code)
    except (BadHome, Damaged) as error:
        return _fail(str(error), exits.FAILED)
    except ApiError as error:
        return _fail(error.message, exits.code_of(error))
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return exits.INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has seen enough; nothing more can be written anywhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return exits.OK
    except OSError as error:
        return _fail(_message_of(error), exits.FAILED)
    except Exception as error:  # noqa: BLE001 - a bug: users get one line, the trace goes to a file
        return _report_bug(error)


def _speak_utf8() -> None:
    """Begins anew in Python's UTF-8 mode where the locale makes file names something else."""
    if sys.getfilesystemencoding() != "utf-8" and not sys.flags.utf8_mode:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def _check_utf8(words: Sequence[str]) -> None:
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise CliError(
                f"argument {os.fsencode(word)!r} is not UTF-8: the API cannot hold it; rename it",
                exits.USAGE,
            ) from None


def build_parser(chosen: Iterable[str]) -> Parser:
    """The parser with these verbs; all of them for help and completion, else only the one."""
    codes = "\n".join(f"  {code:<4} {meaning}" for code, meaning in exits.MEANINGS)
    parser = Parser(
        prog="mizzen",
        description="An AI-native control plane that speaks Kubernetes, on this machine.",
        epilog=f"exit codes:\n{codes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mizzen {mizzen.__version__}")
    parser.add_argument("--home", metavar="DIR", help=_HOME_HELP)
    words = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)
    for name in chosen:
        _add_verb(words, verb.load(name))
    return parser


_HOME_HELP = "keep everything of this instance under DIR (default: $MIZZEN_HOME, else XDG folders)"


def _add_verb(words: argparse._SubParsersAction[Parser], entry: verb.Verb) -> None:  # pyright: ignore[reportPrivateUsage]
    parser = words.add_parser(
        entry.name,
        help=entry.summary,
        description=entry.summary[0].upper() + entry.summary[1:] + ".",
        epilog="example:\n  " + entry.example.replace("\n", "\n  "),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--home", metavar="DIR", default=argparse.SUPPRESS, help=_HOME_HELP)
    if entry.prints_data:
        parser.add_argument(
            "-o", "--output", choices=FORMATS, default="table", help="how to print (table)"
        )
    if entry.namespaced:
        parser.add_argument(
            "-n", "--namespace", default="default", metavar="NS", help="namespace (default)"
        )
    entry.configure(parser)
    if entry.rest:
        parser.usage = (
            parser.format_usage().removeprefix("usage: ").rstrip() + f" [-- {entry.rest}]"
        )
    parser.set_defaults(entry=entry, parser=parser)


def _run(words: list[str]) -> int:
    known = verb.names()
    typed = _typed_verb(words)
    if typed is not None and typed not in known:
        close = difflib.get_close_matches(typed, known, n=1, cutoff=0.6)
        hint = f"did you mean `mizzen {close[0]}`?" if close else "see `mizzen --help`"
        raise CliError(f"unknown command {typed!r}; {hint}", exits.USAGE)
    parser = build_parser(known if typed is None else [typed])
    words, rest = _split_rest(words)
    args, unknown = parser.parse_known_args(words)
    if unknown:
        getattr(args, "parser", parser).error(f"unrecognized arguments: {' '.join(unknown)}")
    if args.verb is None:
        parser.print_help()
        return exits.USAGE if words else exits.OK
    entry: verb.Verb = args.entry
    if rest and not entry.rest:
        raise CliError(f"`mizzen {entry.name}` takes nothing after --", exits.USAGE)
    args.rest = rest
    return entry.run(Context(args))


def _split_rest(words: list[str]) -> tuple[list[str], list[str]]:
    """The words before and after the first `--`; argparse mixes them into the positionals."""
    if "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1 :]


def _typed_verb(words: Sequence[str]) -> str | None:
    """The first word that is neither an option nor --home's value."""
    rest = iter(words)
    for word in rest:
        if word == "--home":
            next(rest, None)
        elif not word.startswith("-"):
            return word
    return None


def _fail(message: str, code: int) -> int:
    said = message if message.startswith("mizzen ") else f"mizzen: {message}"
    print(one_line(said), file=sys.stderr)
    return code


_NEXT_STEPS = {
    errno.ENOSPC: "free some space, or choose another folder",
    errno.EDQUOT: "free some space, or choose another folder",
    errno.EROFS: "choose another folder with --home",
}


def _message_of(error: OSError) -> str:
    """The file, what is wrong and what to do; where its owner is the reason, who that is."""
    if isinstance(error, FileNotFoundError) and not error.filename:  # getcwd(2) alone names none
        return "the present folder is gone: change into one that is there"
    where = f"{error.filename}: " if error.filename else ""
    said = f"{where}{error.strerror or error}"
    if where and error.errno in _NEXT_STEPS:
        said += f"; {_NEXT_STEPS[error.errno]}"
    if isinstance(error, PermissionError) and isinstance(error.filename, str):
        said += _owner(Path(error.filename))
    return said


def _owner(path: Path) -> str:
    for place in (path, *path.parents):  # the nearest that we may look at
        try:
            uid = place.lstat().st_uid
        except OSError:
            continue
        if uid == os.geteuid():
            return ""
        return (
            f"; {place} belongs to user {uid} and you are {os.geteuid()}: give it back with "
            f"`chown -R`, or choose another folder with --home"
        )
    return ""


def _report_bug(error: Exception) -> int:
    import tempfile  # takes time to import, and bugs are rare

    said = f"internal error: {type(error).__name__}: {error} (a bug"
    try:  # a file of a new name, the owner's alone: others may write to the folder, too
        handle, trace = tempfile.mkstemp(prefix="mizzen-error-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write("".join(traceback.format_exception(error)))
    except OSError as refused:
        return _fail(f"{said}; its details cannot be written: {refused})", exits.FAILED)
    return _fail(f"{said}; details in {trace})", exits.FAILED)


if __name__ == "__main__":
    raise SystemExit(main())
