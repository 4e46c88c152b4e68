"""A patched object whose untouched parts are taken as they are, against one decoded whole."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mizzen.base.objects import Obj
from mizzen.kinds.kind import Kind
from mizzen.kinds.patches import merge_patch
from mizzen.kinds.registry import builtin_kinds

KINDS = builtin_kinds()
CLAIM = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "ResourceClaim",
    "metadata": {"name": "c", "namespace": "default", "uid": "u", "resourceVersion": "7"},
    "spec": {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "gpu"}}]}},
    "status": {"reservedFor": [{"resource": "pods", "name": "p", "uid": "u"}]},
}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "namespace": "default", "uid": "u", "labels": {"a": "b"}},
    "spec": {"containers": [{"name": "main", "image": "i", "resources": {"limits": {"cpu": 1}}}]},
    "status": {"phase": "Pending"},
}
CASES = {"pods": (("", "pods"), POD), "claims": (("resource.k8s.io", "resourceclaims"), CLAIM)}

leaves = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "x", "2Gi"])
names = st.sampled_from(
    ["metadata", "spec", "status", "labels", "finalizers", "containers", "devices", "phase",
     "reservedFor", "conditions", "results", "allocation", "nodeName", "unknown"]
)  # fmt: skip
patches = st.dictionaries(
    names,
    st.recursive(
        leaves,
        lambda inner: st.dictionaries(names, inner, max_size=3) | st.lists(inner, max_size=2),
        max_leaves=6,
    ),
    max_size=3,
)


def stored(kind: Kind, obj: Obj) -> Obj:
    decoded = kind.decode(obj)
    assert not decoded.causes
    return decoded.object


@pytest.mark.parametrize("case", CASES)
@given(patch=patches)
def test_decoding_what_changed_is_decoding_all(case: str, patch: dict[str, Any]) -> None:
    place, obj = CASES[case]
    kind = KINDS[place]
    old = stored(kind, obj)
    before = orjson.dumps(old)
    patched = merge_patch(old, patch)
    kept = frozenset(n for n, v in patched.items() if type(v) is dict and v is old.get(n))
    whole, part = kind.decode(patched), kind.decode(patched, kept)
    assert part.object == whole.object
    assert part.causes == whole.causes
    assert part.unknown == whole.unknown
    assert orjson.dumps(old) == before
