"""SelfSubjectRulesReviews tell whoever asks what he may do in a namespace."""

from __future__ import annotations

from mizzen.apiserver.access_reviews import answer_review
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core.access_reviews import rules_status
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.http import Request, Response
from mizzen.apiserver.server import Server
from mizzen.base.errors import BadRequest, Cause
from mizzen.base.objects import Obj
from mizzen.base.reading import text


async def create(server: Server, served: Served, target: Target, request: Request) -> Response:
    def check(review: Obj) -> list[Cause]:
        if not text(review, "spec", "namespace"):
            raise BadRequest("no namespace on request")
        return []

    def status(review: Obj) -> Obj:
        namespace = text(review, "spec", "namespace")
        return rules_status(*server.authorizer.rules(request.user, namespace))

    return answer_review(server, served, target, request, check, status)


HANDLERS = {"create": create}
