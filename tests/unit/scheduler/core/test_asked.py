"""What pods ask of a node is remembered by what they say, and is what each would be read to ask."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mizzen.base.images import kind_of_pod
from mizzen.base.objects import Obj
from mizzen.scheduler.core.claiming.extended import extended_requests_of
from mizzen.scheduler.core.dra.wire import part
from mizzen.scheduler.core.types import PodShape
from mizzen.scheduler.core.views import node_selector, pod_view, requests_of, tolerations

pytestmark = pytest.mark.slow


TERM = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}]}
REQUIRED = {"nodeSelectorTerms": [TERM]}
AFFINITY = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": REQUIRED}}
CONTAINERS: dict[str, list[Any]] = {
    "name": ["c", "d"],
    "image": [None, "i1", "i2"],
    "resources": [
        None,
        {},
        {"requests": {"cpu": "100m", "memory": "1Gi"}},
        {"requests": {"cpu": 1, "memory": 1.5}},
        {"limits": {"memory": 10**20}},  # no number of orjson's
        {"limits": {"nvidia.com/gpu": "2"}, "requests": {"cpu": "2"}},
    ],
    "restartPolicy": [None, "Always"],
    "volumeMounts": [None, [{"name": "kube-api-access-x"}]],
}


def _some_of(fields: dict[str, list[Any]]) -> st.SearchStrategy[Obj]:
    drawn = st.fixed_dictionaries({name: st.sampled_from(some) for name, some in fields.items()})
    return drawn.map(lambda found: {name: v for name, v in found.items() if v is not None})


LISTED = st.lists(_some_of(CONTAINERS), max_size=3)


def _spec(fields: Obj, containers: list[Obj], init: list[Obj] | None) -> Obj:
    return {**fields, "containers": containers, "initContainers": init}


SPECS = st.builds(
    _spec,
    _some_of(
        {
            "affinity": [None, {}, AFFINITY],
            "nodeSelector": [None, {"zone": "a"}, {"zone": "a", "rack": "r"}],
            "overhead": [None, {"memory": "1Mi"}],
            "resources": [None, {"requests": {"cpu": "3"}}],
            "tolerations": [None, [], [{"key": "k", "operator": "Exists"}]],
            "volumes": [None, [{"name": "kube-api-access-x"}]],
        }
    ),
    LISTED,
    st.one_of(st.none(), LISTED),
)


@given(st.lists(SPECS, min_size=1, max_size=4))
def test_what_is_remembered_is_what_would_be_read(specs: list[Obj]) -> None:
    for spec in [*specs, *specs]:
        view = pod_view({"metadata": {"name": "p", "namespace": "d"}, "spec": spec}, {})
        required = part(
            part(part(spec, "affinity"), "nodeAffinity"),
            "requiredDuringSchedulingIgnoredDuringExecution",
        )
        assert view.shape == PodShape(
            requests=tuple(sorted(requests_of(spec).items())),
            node_selector=tuple(sorted(part(spec, "nodeSelector").items())),
            affinity=node_selector(required) if required else None,
            tolerations=tolerations(spec.get("tolerations") or ()),
            images=kind_of_pod(spec),
        )
        assert view.extended_requests == extended_requests_of(spec)
