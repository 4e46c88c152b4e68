"""Exit codes: stable, listed in `mizzen --help` and docs/cli.md."""

from __future__ import annotations

from mizzen.base.errors import (
    AlreadyExists,
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Timeout,
    Unauthorized,
    Unavailable,
)

OK = 0
FAILED = 1
USAGE = 2
NOT_RUNNING = 3
NOT_FOUND = 4
REFUSED = 5
TIMED_OUT = 6
INTERRUPTED = 130

MEANINGS = (
    (OK, "done"),
    (FAILED, "it was tried and failed (a job failed, a check found faults)"),
    (USAGE, "the command line is wrong"),
    (NOT_RUNNING, "no instance runs at this home, or it does not answer"),
    (NOT_FOUND, "no such object or file"),
    (REFUSED, "the API refused it: invalid, exists already, conflict, forbidden"),
    (TIMED_OUT, "it did not happen in time"),
    (INTERRUPTED, "interrupted by Ctrl-C"),
)


class CliError(Exception):
    """Something to tell the user in one line; the message holds the next step."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


def code_of(error: ApiError) -> int:
    """The exit code that an API error stands for."""
    if isinstance(error, NotFound):
        return NOT_FOUND
    if isinstance(error, Unavailable):
        return NOT_RUNNING
    if isinstance(error, Timeout):
        return TIMED_OUT
    refused = (AlreadyExists, Conflict, Invalid, BadRequest, Forbidden, Unauthorized)
    return REFUSED if isinstance(error, refused) else FAILED
