"""What an expression reads decides how often it runs; and no expression takes the scheduler along."""

from __future__ import annotations

import pytest

from mizzen.scheduler.core.dra.model import Attribute, Device, SelectorError
from mizzen.scheduler.device_selectors import CelSelectors
from support.devices import device

pytestmark = pytest.mark.slow


D = "gpu.example.com"
A = f'device.attributes["{D}"]'


@pytest.mark.parametrize(
    ("expression", "reads"),
    [
        ("true", set()),
        (f'device.driver == "{D}"', set()),
        (f'{A}.model == "H100"', {"model"}),
        (f'{A}["model"] == "H100" && {A}.?index.orValue(1) == 1', {"model", "index"}),
        (f"has({A}.model) || {A}[?'x'].hasValue()", {"model", "x"}),
        (f"cel.bind(a, {A}, a.model == 'x' && a.index == 1)", {"model", "index"}),
        (f"[1].all(i, {A}.index == i)", {"index"}),
        (f'device.capacity["{D}"].memory.isInteger()', {"memory"}),
        ("nonsense (", set()),
        (f"size({A}) == 1", None),
        (f'"model" in {A}', None),
        (f"{A}[device.driver] == 1", None),
        (f"cel.bind(a, {A}, size(a) == 1)", None),
        ("cel.bind(d, device, d.driver == 'x')", None),
        (f"[{A}].all(a, a.model == 'x')", None),
    ],
)
def test_reads(expression: str, reads: set[str] | None) -> None:
    found = CelSelectors().reads(expression)
    assert found == (None if reads is None else {f"{D}/{name}" for name in reads})


def _with_own(index: int) -> Device:
    plain = device(D, "p", f"gpu-{index}", attributes={f"{D}/model": "H100"})
    own = (("uuid", Attribute("string", f"u{index}")),)
    return Device(plain.id, plain.shape, plain.scope, own)


def test_what_only_a_device_has_counts_only_when_it_is_read() -> None:
    selectors = CelSelectors()
    for index in range(50):
        assert selectors.matches(f'{A}.model == "H100"', _with_own(index))
    assert selectors.evaluations == 1
    answers = [selectors.matches(f'{A}.uuid == "u7"', _with_own(index)) for index in range(50)]
    assert answers.count(True) == 1 and answers[7]
    assert selectors.evaluations == 51


def test_a_list_without_its_gate_fails_every_expression_as_upstream_does() -> None:
    plain = device(D, "p", "gpu-0", attributes={f"{D}/model": "H100"})
    listed = Device(plain.id, plain.shape, plain.scope, (("ids", Attribute("ints", (1, 2))),))
    assert CelSelectors(lists=True).matches(f"2 in {A}.ids", listed)
    for expression in ("true", f'{A}.model == "H100"'):
        with pytest.raises(SelectorError, match="ids has no supported value"):
            CelSelectors().matches(expression, listed)


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("lists.range(1000000000000).size() > 0", "cost limit"),
        ("lists.range(1000).all(i, lists.range(1000).all(j, i + j >= 0))", "cost limit"),
        ("(" * 400 + "true" + ")" * 400, "recursion limit"),
        ("-" * 5000 + "(1) == 1 || " + "1 + " * 300 + "1 == 1", "recursion limit"),
        ('"' + "a" * 200 + 'b".matches("^(a+)+$")', ""),
        (" || ".join(["false"] * 1000), ""),
        ("true" + " " * 11_000, "longer than"),
    ],
)
def test_no_expression_runs_away(expression: str, says: str) -> None:
    gpu = device(D, "p", "gpu-0", attributes={})
    if not says:
        assert CelSelectors().matches(expression, gpu) is False
        return
    with pytest.raises(SelectorError, match=says):
        CelSelectors().matches(expression, gpu)
