from __future__ import annotations

from mizzen.base.exposition import Histogram, Page


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
