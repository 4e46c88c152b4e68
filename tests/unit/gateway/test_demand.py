"""Demands reach the endpoint they are of, also when another takes its name."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mizzen.base.errors import ApiError, Conflict, NotFound, Unavailable
from mizzen.base.objects import Obj
from mizzen.base.operations import Operation, Patch
from mizzen.gateway.core.endpoints import Endpoint, read_endpoint
from mizzen.gateway.core.scale import Load
from mizzen.gateway.demand import DemandWriter
from mizzen.gateway.pool import ScaleDecision
from mizzen.host.clock import RealClock
from support.waiting import until
from unit.gateway.conftest import RecordingClient, endpoint_object


class Api(RecordingClient):
    """Writes only to the endpoint of uid `present`; others are refused with `gone`."""

    def __init__(self, gone: ApiError) -> None:
        super().__init__()
        self.present, self.gone = "old", gone

    async def commit(self, operations: Sequence[Operation]) -> list[Obj]:
        (patch,) = operations
        assert isinstance(patch, Patch)
        if not self.errors and patch.uid != self.present:
            raise self.gone
        return await super().commit(operations)


def endpoint(uid: str) -> Endpoint:
    obj = endpoint_object()
    obj["metadata"]["uid"] = uid
    return read_endpoint(obj)


def decision(uid: str, replicas: int) -> ScaleDecision:
    return ScaleDecision(endpoint(uid), 1, replicas, Load(9, 0), "because", "r", 1, 2)


@pytest.mark.parametrize("gone", [NotFound("not found"), Conflict("another uid")])
async def test_what_is_to_be_said_of_the_next_endpoint_of_the_name_is_said(gone: ApiError) -> None:
    api = Api(gone)
    writer = DemandWriter(api, RealClock(), "http://g")  # type: ignore[arg-type]
    api.errors = [Unavailable("no answer")]
    writer.submit(decision("old", 2))
    await until(lambda: not api.errors, "a first attempt that may be repeated")
    api.present = "new"  # deleted and made anew before the gateway hears of it
    writer.announce(endpoint("new"))
    await until(lambda: writer.statistics()["writing"] == 0, "nothing is left to write")
    writer.submit(decision("new", 3))
    await until(lambda: writer.statistics()["writing"] == 0, "nothing is left to write")
    assert [patch.patch["status"].get("url") for patch in api.patches] == ["http://g", None]
    assert [demand["replicas"] for demand in api.demands] == [3]
    await writer.close()
