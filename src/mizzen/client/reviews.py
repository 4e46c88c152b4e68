"""Lets in whom the API server knows and allows: TokenReview, then SubjectAccessReview.

Source: kube-apiserver's delegated authentication and authorization, as kube-scheduler's secure port
has it; the rights it takes are those of ClusterRole `system:auth-delegator`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict

from mizzen.base.errors import ApiError, Forbidden, Timeout, Unauthorized, Unavailable
from mizzen.base.objects import Obj
from mizzen.base.reading import part
from mizzen.base.resources import SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS
from mizzen.client.client import Client
from mizzen.host.get_server import Get

VERDICT_S = 10.0  # as long as upstream remembers a token
VERDICTS_MAX = 1024
REVIEW_S_MAX = 10.0
REVIEWS_AT_ONCE = 4  # whoever tries tokens keeps the API server from nothing else
_Refusal = tuple[type[ApiError], str]


class Reviewer:
    """Of one component; it remembers verdicts, and tokens by their digest alone."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._verdicts: OrderedDict[bytes, tuple[float, _Refusal | None]] = OrderedDict()
        self._room = asyncio.Semaphore(REVIEWS_AT_ONCE)

    async def admit(self, request: Get) -> None:
        """Returns for a bearer token whose user may get the request's path.

        Errors: Unauthorized, Forbidden; Unavailable and Timeout where the API server tells neither.
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized(
                f"{request.path} is shown to whoever shows a bearer token: none came"
            )
        key = hashlib.sha256(f"{request.path} {token}".encode()).digest()
        now_s = asyncio.get_running_loop().time()
        due_s, refusal = self._verdicts.get(key, (0.0, None))
        if due_s <= now_s:
            refusal = await self._review(token.strip(), request.path)
            self._verdicts[key] = now_s + VERDICT_S, refusal
            self._verdicts.move_to_end(key)
            if len(self._verdicts) > VERDICTS_MAX:
                self._verdicts.popitem(last=False)
        if refusal is not None:
            kind, message = refusal
            raise kind(message)

    async def _review(self, token: str, path: str) -> _Refusal | None:
        try:
            async with asyncio.timeout(REVIEW_S_MAX), self._room:
                return await self._ask(token, path)
        except TimeoutError:
            raise Timeout(f"the API server did not tell within {REVIEW_S_MAX:g} s") from None
        except ApiError as error:
            raise Unavailable(
                f"the API server does not tell who you are: {error.message}"
            ) from error

    async def _ask(self, token: str, path: str) -> _Refusal | None:
        review = await self._client.create(
            TOKEN_REVIEWS, {"metadata": {}, "spec": {"token": token}}
        )
        status: Obj = part(review, "status")
        if not status.get("authenticated"):
            return Unauthorized, "the API server does not know this token"
        user: Obj = part(status, "user")
        who: Obj = {
            "user": user.get("username", ""),
            "uid": user.get("uid", ""),
            "groups": user.get("groups") or [],
            "extra": user.get("extra") or {},
        }
        what = {"path": path, "verb": "get"}
        spec: Obj = {**who, "nonResourceAttributes": what}
        review = await self._client.create(SUBJECT_ACCESS_REVIEWS, {"metadata": {}, "spec": spec})
        if part(review, "status").get("allowed"):
            return None
        return Forbidden, f'User "{who["user"]}" cannot get path "{path}"'
