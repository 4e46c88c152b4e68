"""Claims of the tokens by which kubelets and kube-proxies of other programs' making come in.

`mizzen node-config` signs them with the instance's key. They end with a certificate's life, or with
the key; what their holders may do, the Node authorizer and RBAC say.
"""

from __future__ import annotations

from mizzen.apiserver.core.user import AUTHENTICATED, NODE_PREFIX, NODES, User
from mizzen.base.names import KUBE_PROXY
from mizzen.base.objects import Obj

PREFIX = "mizzen-node."  # of the token itself, so that no other is looked at
ISSUER = "mizzen-node-config"
LIFE_S = 397 * 24 * 60 * 60


def make_claims(user: str, now_s: int) -> Obj:
    return {"iss": ISSUER, "sub": user, "nbf": now_s, "exp": now_s + LIFE_S}


def user_of(claims: Obj) -> User | None:
    """The user that verified claims stand for; None where they are of another issuer."""
    name = claims.get("sub")
    if claims.get("iss") != ISSUER or not isinstance(name, str):
        return None
    if name == KUBE_PROXY:
        return User(name, groups=(AUTHENTICATED,))
    if name.startswith(NODE_PREFIX) and len(name) > len(NODE_PREFIX):
        return User(name, groups=(NODES, AUTHENTICATED))
    return None
