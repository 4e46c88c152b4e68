"""A strict reading of Prometheus' text format 0.0.4: what real scrapers reject, and what they let
pass and ought not to be written.

Source: prometheus.io/docs/instrumenting/exposition_formats; docs/practices/naming.
"""

from __future__ import annotations

import re
from collections import defaultdict

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
_SAMPLE = re.compile(rf"({_NAME})(?:\{{({_LABEL}(?:,{_LABEL})*)\}})? (\S+)")
_LABELS = re.compile(_LABEL)
_SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}

Sample = tuple[str, frozenset[str]]  # name, labels as written


def read(text: str) -> dict[Sample, float]:
    """All samples. Errors: AssertionError for what is not as it should be."""
    assert text.endswith("\n") and "\n\n" not in text, "each line ends, none is empty"
    samples: dict[Sample, float] = {}
    kinds: dict[str, str] = {}
    family, announced = "", ""
    for line in text.splitlines():
        if line.startswith("# HELP "):
            _, _, announced, said = line.split(" ", 3)
            assert announced not in kinds, f"family {announced} comes twice"
            assert said, line
        elif line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family == announced, f"{line}: its HELP comes before it"
            assert kind in _SUFFIXES, line
            assert (kind == "counter") == family.endswith("_total"), f"{line}: named unlike it"
            kinds[family] = kind
        else:
            found = _SAMPLE.fullmatch(line)
            assert found is not None, f"no sample: {line!r}"
            name, labels, value = found.groups()
            suffix = name.removeprefix(family)
            assert family and name.startswith(family), f"{line}: not within its family"
            assert suffix in _SUFFIXES[kinds[family]], line
            sample = (name, frozenset(_LABELS.findall(labels or "")))
            assert sample not in samples, f"{line}: comes twice"
            samples[sample] = float(value)
            assert samples[sample] >= 0, line
    _check_histograms(samples, [name for name, kind in kinds.items() if kind == "histogram"])
    return samples


def value(text: str, name: str, /, **labels: str) -> float:
    """Of one sample. Errors: KeyError, with the samples of that name."""
    samples = read(text)
    wanted = frozenset(f'{key}="{each}"' for key, each in labels.items())
    if (name, wanted) not in samples:
        raise KeyError(name, wanted, [sample for sample in samples if sample[0] == name])
    return samples[name, wanted]


def _check_histograms(samples: dict[Sample, float], families: list[str]) -> None:
    for family in families:
        series: dict[frozenset[str], list[tuple[float, float]]] = defaultdict(list)
        for (name, labels), number in samples.items():
            if name == f"{family}_bucket":
                bound = next(label for label in labels if label.startswith("le="))
                series[labels - {bound}].append((float(bound[4:-1]), number))
        for labels, buckets in series.items():
            counts = [count for _, count in sorted(buckets)]
            assert counts == sorted(counts), f"{family}: buckets are not cumulative"
            assert max(buckets)[0] == float("inf"), f"{family}: no +Inf"
            assert samples[f"{family}_count", labels] == counts[-1], family
            assert (f"{family}_sum", labels) in samples, family
