"""Reviews of who somebody is, and requests for tokens. What answers them is in `apiserver`."""

from __future__ import annotations

from dataclasses import replace

from mizzen.base.resources import SELF_SUBJECT_REVIEWS, TOKEN_REVIEWS, Resource
from mizzen.kinds.kind import Kind
from mizzen.kinds.meta import root
from mizzen.kinds.schema import LazyFields, Schema
from mizzen.kinds.upstream import upstream_kind, upstream_type

_SPEC = upstream_type("io.k8s.api.authentication.v1.TokenReviewSpec")
# One without a token is refused by what answers it.
_REVIEWED = replace(
    _SPEC,
    cache={},
    fields=LazyFields(lambda: {**_SPEC.fields, "token": _SPEC.fields["token"](required=False)}),
)
KINDS = (
    upstream_kind(
        TOKEN_REVIEWS, "Whom a token stands for.", is_stored=False,
        fields={"spec": _REVIEWED(default={})},
    ),
    upstream_kind(SELF_SUBJECT_REVIEWS, "Who whoever asks is.", is_stored=False),
)  # fmt: skip

_TOKEN_REQUESTS = Resource("authentication.k8s.io", "v1", "tokenrequests", "TokenRequest")
_REQUEST = "io.k8s.api.authentication.v1.TokenRequest"
# The body of serviceaccounts/NAME/token, which has no path of its own.
TOKEN_REQUEST = Kind(
    resource=_TOKEN_REQUESTS,
    is_stored=False,
    generation=False,
    schema=Schema(
        "object",
        name=_REQUEST,
        description="A wish for a token of a service account.",
        fields=LazyFields(
            lambda: {
                **root(_TOKEN_REQUESTS, "", _REQUEST).fields,
                **{
                    name: field
                    for name, field in upstream_type(_REQUEST).fields.items()
                    if name in ("spec", "status")
                },
            }
        ),
    ),
)
