"""ServiceAccount: an identity for pods."""

from __future__ import annotations

from mizzen.base.objects import Obj
from mizzen.base.resources import SERVICE_ACCOUNTS
from mizzen.kinds.columns import AGE, NAME, keys
from mizzen.kinds.core.references import LOCAL_OBJECT_REFERENCE, OBJECT_REFERENCE
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import root
from mizzen.kinds.schema import BOOL, array
from mizzen.kinds.subresource import Subresource
from mizzen.kinds.treatment import acted


def _clean(account: Obj, old: Obj | None = None) -> None:
    """Leaves the names of secrets alone. Source: registry `cleanSecretReferences`."""
    if account.get("secrets"):
        account["secrets"] = [
            {"name": each["name"]} if each.get("name") else {} for each in account["secrets"]
        ]


KIND = Kind(
    resource=SERVICE_ACCOUNTS,
    short_names=("sa",),
    generation=False,
    complete=_clean,
    on_update=_clean,
    subresources=(
        Subresource("token", ("create",), ("authentication.k8s.io", "v1", "TokenRequest")),
    ),
    schema=root(
        SERVICE_ACCOUNTS,
        "An identity for pods.",
        "io.k8s.api.core.v1.ServiceAccount",
        secrets=array(OBJECT_REFERENCE, key="name")("Secrets its pods may use."),
        imagePullSecrets=array(LOCAL_OBJECT_REFERENCE)("Credentials for images."),
        automountServiceAccountToken=BOOL("Whether pods get a token mounted."),
    ),
    columns=(NAME, Column("Secrets", keys("secrets"), type="integer"), AGE),
)

SERVED_FIELDS = {
    "core.v1.ServiceAccount": acted(
        "apiserver", "secrets imagePullSecrets automountServiceAccountToken"
    ),
}  # fmt: skip
