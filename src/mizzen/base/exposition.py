"""Counters, gauges and histograms in Prometheus' text form, without a client library.

Source: prometheus.io/docs/instrumenting/exposition_formats, text format 0.0.4. The official
client is not used: it keeps global state, and its import costs memory in every component.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# (key of a component's statistics, name of the family, HELP): one line says what becomes of a
# count. What ends in _total is a counter, everything else a gauge; a count that is missing is 0.
Families = Iterable[tuple[str, str, str]]


class Histogram:
    """Counts of observations at or below each bound, in seconds or whatever the name says."""

    def __init__(self, bounds: Iterable[float]) -> None:
        self.bounds = tuple(sorted(bounds))
        self._counts = [0] * (len(self.bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self.bounds, value)] += 1
        self._sum += value

    @property
    def count(self) -> int:
        return sum(self._counts)

    def samples(self) -> list[tuple[str, str, float]]:
        """(suffix, `le` or "", value) in exposition order."""
        result: list[tuple[str, str, float]] = []
        total = 0
        for bound, count in zip(self.bounds, self._counts, strict=False):
            total += count
            result.append(("_bucket", _number(bound), total))
        total += self._counts[-1]
        result.append(("_bucket", "+Inf", total))
        result.append(("_sum", "", self._sum))
        result.append(("_count", "", total))
        return result


class Page:
    """Collects metric families and renders them: each once, its samples together."""

    def __init__(self) -> None:
        self._families: dict[str, list[str]] = {}

    def add(
        self, name: str, kind: str, text: str, value: float, labels: Mapping[str, str] | None = None
    ) -> None:
        """One sample of a counter or gauge."""
        lines = self._family(name, kind, text)
        lines.append(f"{name}{_labels(labels or {})} {_number(value)}")

    def add_all(
        self,
        families: Families,
        statistics: Mapping[str, float],
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """One sample of each family, from a component's `statistics()`."""
        for key, name, text in families:
            kind = "counter" if name.endswith("_total") else "gauge"
            self.add(name, kind, text, statistics.get(key, 0), labels)

    def add_histogram(
        self, name: str, text: str, histogram: Histogram, labels: Mapping[str, str] | None = None
    ) -> None:
        lines = self._family(name, "histogram", text)
        for suffix, bound, value in histogram.samples():
            extra = {"le": bound} if bound else {}
            sample_labels = _labels({**(labels or {}), **extra})
            lines.append(f"{name}{suffix}{sample_labels} {_number(value)}")

    def render(self) -> str:
        return "".join(f"{line}\n" for lines in self._families.values() for line in lines)

    def _family(self, name: str, kind: str, text: str) -> list[str]:
        """Its lines so far."""
        lines = self._families.get(name)
        if lines is None:
            lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
            self._families[name] = lines
        return lines


Collector = Callable[[Page], None]


class MetricsRegistry:
    """The collectors of one process: each adds its families to every page anew."""

    def __init__(self, *collectors: Collector) -> None:
        self._collectors = list(collectors)

    def register(self, collector: Collector) -> None:
        self._collectors.append(collector)

    def render(self) -> str:
        page = Page()
        for collect in self._collectors:
            collect(page)
        return page.render()


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
