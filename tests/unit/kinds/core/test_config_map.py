"""ConfigMaps: data that are empty, and data that may not change."""

from __future__ import annotations

from mizzen.base.objects import Obj
from mizzen.kinds.core.config_map import KIND, frozen_data


def test_data_that_hold_nothing_are_left_out_but_not_where_they_may_not_change() -> None:
    plain: Obj = {"metadata": {}, "data": {}}
    KIND.default(plain)
    assert plain == {"metadata": {}}
    frozen: Obj = {"metadata": {}, "data": {}, "immutable": True}
    KIND.default(frozen)
    assert [cause.field for cause in frozen_data(frozen, {"immutable": True})] == ["data"]
    KIND.on_update(frozen, {"immutable": False})
    assert "data" not in frozen
