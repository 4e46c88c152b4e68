"""Answers reviews of access over HTTP: body in, status out, nothing stored."""

from __future__ import annotations

from collections.abc import Callable

from mizzen.apiserver import operations
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core import warnings
from mizzen.apiserver.core.negotiate import form_of
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.http import Request, Response, answer
from mizzen.apiserver.server import Server
from mizzen.apiserver.writes import received, strictness, write_options
from mizzen.base.errors import Cause, NotAcceptable, invalid
from mizzen.base.objects import Obj


def answer_review(
    server: Server,
    served: Served,
    target: Target,
    request: Request,
    check: Callable[[Obj], list[Cause]],
    status_of: Callable[[Obj], Obj],
) -> Response:
    """The review with its status.

    Errors: BadRequest; Invalid where `check` finds a cause; NotAcceptable where a table is wanted.
    """
    if form_of(request.head.accept).shape:
        raise NotAcceptable("the only form of a review is the review: ask for application/json")
    draft = server.draft(request.user)
    options = write_options(request, "CreateOptions")
    draft.manager = options.manager
    given = strictness(request, options)
    review = operations.decode_virtual(
        draft, served, target.namespace, received(request, served), given
    )
    causes = check(review)
    if causes:
        raise invalid("", served.resource.group, "", causes)  # upstream's own type has no name
    response = answer(201, {**review, "status": status_of(review)})
    if draft.warnings:
        response.headers = warnings.headers(draft.warnings)
    return response
