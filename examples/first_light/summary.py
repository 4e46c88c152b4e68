"""The report as a person reads it on a terminal, and the verdict on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# What the run must show; wall times are reported, not judged: machines are noisy.
MUST_BE_ZERO = ("steps_lost", "steps_redone", "requests_failed")


def show(report: dict[str, Any], texts: Sequence[tuple[str, str]]) -> None:
    """Timeline, the model's own words, the ledger and the figures."""
    print("\nTimeline")
    for moment in report["timeline"]:
        detail = f"  ({moment['detail']})" if moment["detail"] else ""
        print(f"  {(moment['time'] - report['started']) / 1e9:8.3f} s  {moment['what']}{detail}")
    print("\nWhy training changed its size (from: mizzen why trainjob/first-light --all)")
    for line in report["why"].splitlines():
        if "Preempted by" in line or "train together" in line:
            print(f"  {line.strip()}")
    print("\nWhat the model says (a few minutes old, and it shows)")
    for api, text in texts:
        print(f"  {api}: {text!r}")
    _ledger(report["ledger"])
    print("\nMeasured CPU of each pod (cores, by the kernel's account)")
    for pod, share in report["cpu_shares"].items():
        print(f"  {pod:<28} {share['cores']:.2f}  over {share['held_seconds']:.0f} s")
    print("\nFigures")
    for name in (
        *MUST_BE_ZERO,
        "seconds_burst_to_decision",
        "seconds_burst_to_devices_free",
        "seconds_burst_to_first_token_on_new_replica",
        "training_pause_seconds",
        "loss_first",
        "loss_last",
    ):
        print(f"  {name:<46} {report.get(name)}")


def _ledger(ledger: dict[str, Any]) -> None:
    print(f"\nLedger (device-seconds, {ledger['devices']} devices)")
    for line, nanoseconds in ledger["lines"].items():
        share = 100 * nanoseconds / max(ledger["device_time"], 1)
        print(f"  {line:<18} {nanoseconds / 1e9:10.2f}  {share:5.1f} %")
    exact = "exactly" if ledger["sum_of_lines"] == ledger["device_time"] else "NOT"
    print(f"  {'sum':<18} {ledger['sum_of_lines'] / 1e9:10.2f}  {exact} devices x time")


def verdict(report: dict[str, Any]) -> int:
    """0 when the run showed what it must, 1 otherwise (and says what is missing)."""
    wrong = [f"{name} is {report[name]}" for name in MUST_BE_ZERO if report[name]]
    if not report["shrunk"]:
        wrong.append("the burst did not make training shrink")
    elif report["breakdown"]["cause"] not in report["why"]:
        wrong.append("`mizzen why` does not name the burst as the cause")
    if max((f["size"] for f in report["formations"][-1:]), default=0) != 3:
        wrong.append("training did not grow back to 3 workers")
    if report["ledger"]["sum_of_lines"] != report["ledger"]["device_time"]:
        wrong.append("the ledger does not sum to devices x time")
    if report["loss_last"] is None or report["loss_last"] >= report["loss_first"]:
        wrong.append("the loss did not fall")
    for sentence in wrong:
        print(f"demo: {sentence}")
    return 1 if wrong else 0
