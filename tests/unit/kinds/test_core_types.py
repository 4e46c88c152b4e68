"""Our schemas against the official client's models: users apply real manifests.

The `kubernetes` package is generated from upstream's OpenAPI, so it is an independent list of
fields. Where we know less than it does, the field is listed here with its reason.
"""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.kinds.registry import builtin_kinds
from mizzen.kinds.schema import Schema

models: Any = pytest.importorskip("kubernetes.client.models")

# Fields that the client (1.37) knows and our baseline, 1.36, does not.
LATER: dict[str, set[str]] = {
    "ClusterTrustBundleProjection": {"user"},
    "ConfigMapVolumeSource": {"defaultUser"},
    "DownwardAPIVolumeFile": {"user"},
    "DownwardAPIVolumeSource": {"defaultUser"},
    "EmptyDirVolumeSource": {"mode"},
    "GRPCAction": {"mode"},
    "HTTPGetAction": {"protocol"},
    "KeyToPath": {"user"},
    "NodeAllocatableResourceClaimStatus": {"mapping", "overhead"},
    "NodeSpec": {"podPreemptionPolicy"},
    "NodeSystemInfo": {"runningInUserNamespace"},
    "PersistentVolumeClaimStatus": {"healthStatus"},
    "PodCertificateProjection": {"user"},
    "PodSpec": {"evictionResponders"},
    "PodStatus": {"volumeHealth"},
    "ProjectedVolumeSource": {"defaultUser"},
    "SecretVolumeSource": {"defaultUser"},
    "ServiceAccountTokenProjection": {"user"},
    "VolumeMount": {"bindMountOptions"},
}
# Fields of alpha types that 1.36 has and the client does not any more.
EARLIER: dict[str, set[str]] = {"NodeAllocatableResourceClaimStatus": {"resources"}}


def _named(schema: Schema, found: dict[str, Schema]) -> None:
    known = schema.resolve()
    if known.name and known.name in found:
        return
    if known.name:
        found[known.name] = known
    for child in known.fields.values():
        _named(child, found)
    for child in (known.items, known.values):
        if child is not None:
            _named(child, found)


def _definitions() -> dict[str, Schema]:
    found: dict[str, Schema] = {}
    for kind in builtin_kinds().values():
        _named(kind.schema, found)
    return {n: s for n, s in found.items() if n.startswith("io.k8s.api.core.v1.") and s.fields}


DEFINITIONS = _definitions()


@pytest.mark.parametrize("name", sorted(DEFINITIONS))
def test_core_types_have_all_fields_of_upstream(name: str) -> None:
    short = name.rpartition(".")[2]
    model = getattr(models, f"V1{short}", None) or getattr(models, f"CoreV1{short}", None)
    if model is None:
        pytest.fail(f"{short} is no type of upstream")
    theirs = set(model.attribute_map.values())
    ours = set(DEFINITIONS[name].fields)
    assert ours - theirs <= EARLIER.get(short, set()), "fields that upstream does not have"
    assert theirs - ours <= LATER.get(short, set()), "fields that we lack"
