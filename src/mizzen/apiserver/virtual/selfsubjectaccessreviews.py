"""SelfSubjectAccessReviews tell whoever asks whether he may do something."""

from __future__ import annotations

from mizzen.apiserver.access_reviews import answer_review
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core import access_reviews
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.http import Request, Response
from mizzen.apiserver.server import Server
from mizzen.base.objects import Obj


async def create(server: Server, served: Served, target: Target, request: Request) -> Response:
    def status(review: Obj) -> Obj:
        access = access_reviews.access_of(review, request.user)
        return access_reviews.access_status(server.authorizer, access)

    return answer_review(server, served, target, request, access_reviews.check_self, status)


HANDLERS = {"create": create}
