from __future__ import annotations

from mizzen.base.exposition import Collector, Histogram, MetricsRegistry, Page


def test_a_family_is_announced_once() -> None:
    page = Page()
    page.add("hits_total", "counter", "Hits.", 3, {"code": "200"})
    page.add("hits_total", "counter", "Hits.", 0.5, {"code": 'a"b\\c\n'})
    assert page.render().splitlines() == [
        "# HELP hits_total Hits.",
        "# TYPE hits_total counter",
        'hits_total{code="200"} 3',
        'hits_total{code="a\\"b\\\\c\\n"} 0.5',
    ]


def test_buckets_are_cumulative_and_bounds_inclusive() -> None:
    histogram = Histogram((0.1, 1))
    for value in (0.1, 0.5, 7):
        histogram.observe(value)
    page = Page()
    page.add_histogram("wait_seconds", "Waits.", histogram, {"m": "x"})
    assert page.render().splitlines()[2:] == [
        'wait_seconds_bucket{m="x",le="0.1"} 1',
        'wait_seconds_bucket{m="x",le="1"} 2',
        'wait_seconds_bucket{m="x",le="+Inf"} 3',
        'wait_seconds_sum{m="x"} 7.6',
        'wait_seconds_count{m="x"} 3',
    ]
    assert histogram.count == 3


FAMILIES = (
    ("done", "work_done_total", "Done."),
    ("open", "work_open", "Open."),
)


def test_statistics_become_counters_and_gauges_and_a_count_that_is_missing_is_zero() -> None:
    page = Page()
    page.add_all(FAMILIES, {"open": 2, "else": 9})
    assert page.render().splitlines() == [
        "# HELP work_done_total Done.",
        "# TYPE work_done_total counter",
        "work_done_total 0",
        "# HELP work_open Open.",
        "# TYPE work_open gauge",
        "work_open 2",
    ]


def test_samples_of_one_family_stand_together_whoever_adds_them() -> None:
    def collector(name: str) -> Collector:
        return lambda page: page.add_all(FAMILIES, {"done": 1}, {"by": name})

    registry = MetricsRegistry(collector("a"))
    registry.register(collector("b"))
    lines = [line for line in registry.render().splitlines() if not line.startswith("#")]
    assert lines == [
        'work_done_total{by="a"} 1',
        'work_done_total{by="b"} 1',
        'work_open{by="a"} 0',
        'work_open{by="b"} 0',
    ]
