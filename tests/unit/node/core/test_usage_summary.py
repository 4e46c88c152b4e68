"""What nodes and pods use, in the kubelet's words."""

from __future__ import annotations

from mizzen.node.core.usage_summary import Use, summary

AT_NS = 1_800_000_000 * 10**9


def test_rates_are_over_the_span_and_a_pods_use_stands_at_its_first_container() -> None:
    pod = {
        "metadata": {"name": "p", "namespace": "d", "uid": "u"},
        "spec": {"containers": [{"name": "a"}, {"name": "b"}]},
    }
    uses = (pod, Use(1_000, 5), Use(101_000_000 + 1_000, 7))
    made = summary("n", Use(0, 1), Use(250_000_000, 2), [uses], 500_000_000, AT_NS)
    assert made["node"]["nodeName"] == "n"
    assert made["node"]["cpu"]["usageNanoCores"] == 500_000_000
    assert made["node"]["memory"]["workingSetBytes"] == 2
    (found,) = made["pods"]
    assert found["podRef"] == {"name": "p", "namespace": "d", "uid": "u"}
    first, second = found["containers"]
    assert first["cpu"]["usageNanoCores"] == 202_000_000
    assert first["memory"]["workingSetBytes"] == 7
    assert second["cpu"]["usageNanoCores"] == 0
