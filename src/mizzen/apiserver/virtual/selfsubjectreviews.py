"""SelfSubjectReviews tell whoever asks who he is (kubectl auth whoami)."""

from __future__ import annotations

from mizzen.apiserver.access_reviews import answer_review
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core.admission_review import user_info
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.http import Request, Response
from mizzen.apiserver.server import Server
from mizzen.base.clock import rfc3339
from mizzen.base.objects import Obj


async def create(server: Server, served: Served, target: Target, request: Request) -> Response:
    def status(review: Obj) -> Obj:
        metadata: Obj = review["metadata"]  # of what it was, nothing is said
        metadata.clear()
        metadata["creationTimestamp"] = rfc3339(server.clock.now_ns())
        return {"userInfo": user_info(request.user)}

    return answer_review(server, served, target, request, lambda _: [], status)


HANDLERS = {"create": create}
