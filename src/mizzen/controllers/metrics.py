"""The controllers' numbers for Prometheus, under controller-runtime's names where it counts them.

Source: sigs.k8s.io/controller-runtime, pkg/internal/controller/metrics and pkg/metrics/workqueue.
"""

from __future__ import annotations

from collections.abc import Sequence

from mizzen.base.exposition import Page
from mizzen.controllers.worker import WORKERS, Worker

_QUEUE = (
    ("ready", "workqueue_depth", "Keys that wait for a worker."),
    ("added", "workqueue_adds_total", "Keys queued."),
    ("retried", "workqueue_retries_total", "Keys queued again after a failure."),
    ("delayed", "mizzen_workqueue_delayed", "Keys that are due later."),
)
_CONTROLLER = (
    ("taken", "controller_runtime_active_workers", "Keys that are worked on."),
    ("errors", "controller_runtime_reconcile_errors_total", "Reconciles that failed."),
    ("terminal", "controller_runtime_terminal_reconcile_errors_total", "Keys given up."),
    ("failed", "controller_runtime_reconcile_panics_total", "Faults in a reconcile."),
    (
        "bugs",
        "mizzen_controller_watch_faults_total",
        "Faults in judging which keys a changed object concerns.",
    ),
    ("commits", "mizzen_controller_commits_total", "Commits: all writes of a reconcile."),
)
_RESULTS = {"succeeded": "success", "requeued": "requeue_after", "errors": "error"}
_REASONS = ("overtaken", "unavailable", "refused", "failed", "terminal")


def collect(workers: Sequence[Worker], page: Page) -> None:
    """Adds the metrics of all controllers to the page."""
    most = "controller_runtime_max_concurrent_reconciles"
    for worker in workers:
        name = worker.controller.name
        counts = {**worker.statistics()}
        counts["errors"] = sum(counts.get(reason, 0) for reason in _REASONS)
        page.add_all(_QUEUE, counts, {"name": name})
        labels = {"controller": name}
        page.add_all(_CONTROLLER, counts, labels)
        page.add(most, "gauge", "Keys worked on at a time, at most.", WORKERS, labels)
        for key, result in _RESULTS.items():
            text, value = "Reconciles ended, by result.", counts.get(key, 0)
            total = "controller_runtime_reconcile_total"
            page.add(total, "counter", text, value, {**labels, "result": result})
        for reason in _REASONS:
            text, value = "Reconciles that failed, by reason.", counts.get(reason, 0)
            failures = "mizzen_controller_failures_total"
            page.add(failures, "counter", text, value, {**labels, "reason": reason})
