"""The scheduler's page, from what the parts count."""

from __future__ import annotations

from mizzen.base.exposition import Histogram, Page
from mizzen.scheduler.metrics import collect, collect_partition
from mizzen.scheduler.run import PLAN_S_BOUNDS
from support.exposition import read, value


def test_plans_and_what_came_of_them() -> None:
    seconds = Histogram(PLAN_S_BOUNDS)
    seconds.observe(0.003)
    page = Page()
    collect(lambda: {"waiting": 7, "bound": 3, "victims": 1}, seconds, page)
    collect_partition(lambda: {"nodes_handed_over": 2}, page)
    text = page.render()
    assert value(text, "scheduler_pending_pods", queue="unschedulable") == 7
    assert value(text, "mizzen_scheduler_pods_bound_total") == 3
    assert value(text, "mizzen_scheduler_plan_duration_seconds_bucket", le="0.002") == 0
    assert value(text, "mizzen_scheduler_plan_duration_seconds_bucket", le="0.004") == 1
    assert value(text, "mizzen_scheduler_nodes_handed_over") == 2
    assert value(text, "mizzen_scheduler_refused_total") == 0
    assert len(read(text)) < 60
