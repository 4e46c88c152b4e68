"""The scheduler's numbers for Prometheus, under kube-scheduler's names where it counts the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mizzen.base.exposition import Histogram, Page

_FAMILIES = (
    ("rechecks", "mizzen_scheduler_rechecks_total", "Plans made for time that had passed."),
    ("failures", "mizzen_scheduler_failures_total", "Pods or gangs about which deciding failed."),
    ("postponed", "mizzen_scheduler_postponed_total", "Objects put off: selectors too costly."),
    ("unreadable", "mizzen_scheduler_unreadable_objects", "Objects that it cannot read."),
    ("optional_kinds", "mizzen_scheduler_optional_kinds", "Kinds of other gang systems followed."),
    ("commits", "mizzen_scheduler_commits_total", "Plans committed."),
    ("refused", "mizzen_scheduler_refused_total", "Plans or decisions refused, decided again."),
    ("bound", "mizzen_scheduler_pods_bound_total", "Pods bound."),
    ("victims", "mizzen_scheduler_victims_total", "Pods evicted for others."),
    ("writes", "mizzen_scheduler_single_writes_total", "Writes where the API has no Plans."),
    ("cut_short", "mizzen_scheduler_cut_short_total", "Decisions of several writes cut short."),
    ("finished", "mizzen_scheduler_recovered_total", "Decisions cut short that were finished."),
    ("undone", "mizzen_scheduler_taken_back_total", "Decisions cut short that were taken back."),
    ("expressions", "mizzen_scheduler_selector_expressions", "CEL selectors compiled."),
    ("answers", "mizzen_scheduler_selector_answers", "Answers of selectors remembered."),
    ("evaluations", "mizzen_scheduler_selector_evaluations_total", "Selectors evaluated."),
)
_PARTITION = (
    ("nodes_handed_over", "mizzen_scheduler_nodes_handed_over", "Nodes that it places on."),
    ("overlaps", "mizzen_scheduler_overlaps", "Nodes and slices that another scheduler uses, too."),
    (
        "devices_allocated_twice",
        "mizzen_scheduler_devices_allocated_twice_total",
        "Devices found in the allocations of two claims.",
    ),
)


_Statistics = Callable[[], Mapping[str, int]]


def collect(statistics: _Statistics, plan_seconds: Histogram, page: Page) -> None:
    """Of one scheduler."""
    counts = statistics()
    # There is one queue, and between two plans all in it have been tried.
    text, labels = "Pods to be placed.", {"queue": "unschedulable"}
    page.add("scheduler_pending_pods", "gauge", text, counts["waiting"], labels)
    page.add_histogram(
        "mizzen_scheduler_plan_duration_seconds",
        "Deciding about all that wait, writing left out.",
        plan_seconds,
    )
    page.add_all(_FAMILIES, counts)


def collect_partition(statistics: _Statistics, page: Page) -> None:
    """Metrics of Mizzen's part of a shared cluster."""
    page.add_all(_PARTITION, statistics())
