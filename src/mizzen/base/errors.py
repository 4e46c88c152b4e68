"""API errors, one class per Kubernetes `Status.reason`, made from and into Status objects.

Source: meta/v1 Status, apimachinery `api/errors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mizzen.base.go_text import quoted
from mizzen.base.objects import Obj

CAUSES_MAX = 100  # that one refusal tells


@dataclass(frozen=True, slots=True)
class Cause:
    """One field that is wrong: where (JSON path), what, and the reason's stable word.

    `reason` is one of FieldValueRequired, FieldValueInvalid, FieldValueNotSupported,
    FieldValueDuplicate, FieldValueForbidden, FieldValueTooLong, FieldValueNotFound.
    """

    field: str
    message: str
    reason: str = "FieldValueInvalid"


class ApiError(Exception):
    """Something the API refused. Subclasses fix `code` and `reason`."""

    code: int = 500
    reason: str = "InternalError"
    has_details = False  # in its Status, though there is nothing in them

    def __init__(
        self,
        message: str,
        *,
        group: str = "",
        kind: str = "",
        name: str = "",
        causes: Sequence[Cause] = (),
        retry_after_s: int = 0,
        continue_token: str = "",
    ) -> None:
        """`continue_token`: by which a list whose token is too old goes on all the same."""
        super().__init__(message)
        self.message = message
        self.group = group
        self.kind = kind
        self.name = name
        self.causes = tuple(causes)
        self.retry_after_s = retry_after_s
        self.continue_token = continue_token
        self.warnings: Sequence[str] = ()  # of what was wrong besides

    def to_status(self) -> Obj:
        """The `Status` object that goes on the wire."""
        details: Obj = {}
        if self.name:
            details["name"] = self.name
        if self.group:
            details["group"] = self.group
        if self.kind:
            details["kind"] = self.kind
        if self.causes:
            details["causes"] = [
                {
                    **({"reason": c.reason} if c.reason else {}),
                    "message": c.message,
                    **({"field": c.field} if c.field else {}),
                }
                for c in self.causes
            ]
        if self.retry_after_s:
            details["retryAfterSeconds"] = self.retry_after_s
        status = failure_status(self.code, self.reason, self.message, details)
        if self.has_details and not details:
            code = status.pop("code")
            status |= {"details": details, "code": code}
        if self.continue_token:
            status["metadata"] = {"continue": self.continue_token}
        return status


class BadRequest(ApiError):
    code, reason = 400, "BadRequest"


class Unauthorized(ApiError):
    code, reason = 401, "Unauthorized"


class Forbidden(ApiError):
    code, reason = 403, "Forbidden"


class NotFound(ApiError):
    code, reason = 404, "NotFound"


class NoPage(NotFound):
    """For paths that lead nowhere: upstream's router answers them without a Status."""

    def __init__(self) -> None:
        super().__init__("404 page not found\n")


class MethodNotAllowed(ApiError):
    code, reason = 405, "MethodNotAllowed"


class NotAcceptable(ApiError):
    code, reason = 406, "NotAcceptable"


class Conflict(ApiError):
    code, reason = 409, "Conflict"


class AlreadyExists(ApiError):
    code, reason = 409, "AlreadyExists"


class Expired(ApiError):
    code, reason = 410, "Expired"


class TooLarge(ApiError):
    code, reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    code, reason = 415, "UnsupportedMediaType"


class Invalid(ApiError):
    code, reason = 422, "Invalid"


class TooManyRequests(ApiError):
    code, reason = 429, "TooManyRequests"


class InternalError(ApiError):
    code, reason = 500, "InternalError"


class Unclassified(ApiError):
    """What upstream refuses as an error of its own, without a reason's word."""

    code, reason = 500, ""


class Unavailable(ApiError):
    code, reason = 503, "ServiceUnavailable"


class InsufficientStorage(Unavailable):
    """The disk is full: nothing of the request was written. Whoever can wait tries again."""

    code, reason = 507, "InsufficientStorage"


class Timeout(ApiError):
    code, reason = 504, "Timeout"


class Passed(ApiError):
    """A refusal that is somebody else's, passed on as the Status that he made."""

    def __init__(self, status: Obj) -> None:
        super().__init__(str(status.get("message") or ""))
        self._status = status
        self.code = int(status["code"])
        self.reason = str(status.get("reason") or "")

    def to_status(self) -> Obj:
        return self._status

    def with_cause(self, first: Cause) -> Passed:
        """The same, with this cause before its own."""
        details: Obj = self._status.get("details") or {}
        cause = {"reason": first.reason, "message": first.message, "field": first.field}
        causes = [cause, *(details.get("causes") or ())]
        return Passed({**self._status, "details": {**details, "causes": causes}})


_CLASSES: tuple[type[ApiError], ...] = (
    BadRequest, Unauthorized, Forbidden, NotFound, MethodNotAllowed, NotAcceptable, Conflict,
    AlreadyExists, Expired, TooLarge, UnsupportedMediaType, Invalid, TooManyRequests,
    InternalError, Unavailable, InsufficientStorage, Timeout,
)  # fmt: skip
_BY_REASON = {cls.reason: cls for cls in _CLASSES}
_BY_CODE = {cls.code: cls for cls in reversed(_CLASSES)}


def invalid(kind: str, group: str, name: str, causes: Sequence[Cause]) -> Invalid:
    """A 422 that says which object and every field that is wrong, up to a number of them."""
    if len(causes) > CAUSES_MAX:
        more = f"and {len(causes) - CAUSES_MAX} more"
        causes = [*causes[:CAUSES_MAX], Cause("", more)]
    told = dict.fromkeys(f"{c.field}: {c.message}" if c.field else c.message for c in causes)
    listed = ", ".join(told)  # each once, as upstream's aggregates
    if len(told) > 1:
        listed = f"[{listed}]"
    qualified = f"{kind}.{group}" if group else kind
    return Invalid(
        f"{qualified} {quoted(name)} is invalid: {listed}",
        group=group,
        kind=kind,
        name=name,
        causes=causes,
    )


def failure_status(code: int, reason: str, message: str, details: Obj) -> Obj:
    """A refusal as a `Status` object, in upstream's order; empty details are left out."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        **({"reason": reason} if reason else {}),
        **({"details": details} if details else {}),
        "code": code,
    }


def unprocessable() -> Invalid:
    """The 422 that upstream answers without saying why: its reason stays in the server."""
    error = Invalid("the server rejected our request due to an error in our request")
    error.has_details = True
    return error


def reason_of(code: int) -> str:
    """The `Status.reason` of an HTTP status; "" for a 4xx that has none of its own.

    Source: apimachinery `api/errors` NewGenericServerResponse.
    """
    cls = _BY_CODE.get(code, InternalError if code >= 500 else None)
    return cls.reason if cls else ""


def from_status(status: Mapping[str, Any], http_code: int = 0) -> ApiError:
    """The error a server's `Status` stands for; an unknown reason falls back to its code."""
    code = int(status.get("code") or http_code or 500)
    cls = _BY_REASON.get(str(status.get("reason") or "")) or _BY_CODE.get(code, InternalError)
    details: Mapping[str, Any] = status.get("details") or {}
    causes = [
        Cause(c.get("field") or "", c.get("message") or "", c.get("reason") or "")
        for c in details.get("causes") or ()
    ]
    return cls(
        str(status.get("message") or f"the server answered {code} without a message"),
        group=str(details.get("group") or ""),
        kind=str(details.get("kind") or ""),
        name=str(details.get("name") or ""),
        causes=causes,
        retry_after_s=int(details.get("retryAfterSeconds") or 0),
    )


class Retry(Exception):
    """A reconciler asks to be called again after `after_s` seconds."""

    def __init__(self, message: str, after_s: float = 1.0) -> None:
        super().__init__(message)
        self.after_s = after_s


class Terminal(Exception):
    """Retrying will not help until the object changes."""
