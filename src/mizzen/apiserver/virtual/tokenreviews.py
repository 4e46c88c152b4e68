"""TokenReviews tell whom a token stands for, by the authenticators of requests.

Source: pkg/registry/authentication/tokenreview/storage.go.
"""

from __future__ import annotations

from mizzen.apiserver.access_reviews import answer_review
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core.admission_review import user_info
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.core.service_tokens import API_AUDIENCES
from mizzen.apiserver.http import Request, Response
from mizzen.apiserver.server import Server
from mizzen.base.errors import BadRequest, Cause, Unauthorized
from mizzen.base.objects import Obj
from mizzen.base.reading import field, text

_UNKNOWN = "invalid bearer token"


async def create(server: Server, served: Served, target: Target, request: Request) -> Response:
    def check(review: Obj) -> list[Cause]:
        if not text(review, "spec", "token"):
            raise BadRequest("token is required for TokenReview in authentication")
        return []

    return answer_review(server, served, target, request, check, lambda each: _review(server, each))


def _review(server: Server, review: Obj) -> Obj:
    token = text(review, "spec", "token")
    asked = Request("GET", "/", {}, {"authorization": f"Bearer {token}"}, b"")
    asked.audiences = field(review, "spec", "audiences") or list(API_AUDIENCES)
    try:
        user = server.authenticate(asked)
    except Unauthorized as error:
        why = error.message.removeprefix("Unauthorized: ")
        known = why != error.message and "bearer token" not in why
        return {"user": {}, "error": f"[{_UNKNOWN}, {why}]" if known else _UNKNOWN}
    return {"authenticated": True, "user": user_info(user), "audiences": list(asked.audiences)}


HANDLERS = {"create": create}
