"""OpenID discovery: by what others verify service accounts' tokens.

Source: pkg/serviceaccount/openidmetadata.go.
"""

from __future__ import annotations

import orjson

from mizzen.apiserver.context import Context
from mizzen.apiserver.core import refusals
from mizzen.apiserver.core.service_tokens import ISSUER
from mizzen.apiserver.http import JSON, Request, Response
from mizzen.host.token_signer import ALGORITHM, TokenSigner

CONFIGURATION, KEYS = "/.well-known/openid-configuration", "/openid/v1/jwks"
_CACHED = (("cache-control", "public, max-age=3600"),)


def configuration(context: Context, request: Request) -> Response:
    _signer(context)
    config = context.config
    host = f"[{config.host}]" if ":" in config.host else config.host
    found = {
        "issuer": ISSUER,
        "jwks_uri": f"https://{host}:{config.port}{KEYS}",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
    }
    return Response(200, orjson.dumps(found), JSON, _CACHED)


def keys(context: Context, request: Request) -> Response:
    found = _signer(context).public_keys()
    return Response(200, orjson.dumps(found), "application/jwk-set+json", _CACHED)


def _signer(context: Context) -> TokenSigner:
    """Errors: NotFound where no tokens are made."""
    if context.token_signer is None:
        raise refusals.unserved()
    return context.token_signer
