"""The device selector environment: what upstream documents, and its error semantics."""

from __future__ import annotations

import pytest

from mizzen.scheduler.core.dra.model import SelectorError
from mizzen.scheduler.device_selectors import CelSelectors
from support.devices import device

D = "gpu.example.com"
DEVICE = device(
    D,
    "n1",
    "gpu-0",
    attributes={
        f"{D}/model": "H200",
        f"{D}/index": 3,
        f"{D}/healthy": True,
        f"{D}/driverVersion": ("semver", "570.1.2"),
        "other.io/numa": 1,
    },
    capacity={f"{D}/memory": "141Gi"},
)


@pytest.mark.parametrize(
    "expression",
    [
        f'device.driver == "{D}"',
        f'device.attributes["{D}"].model == "H200"',
        f'device.attributes["{D}"].model.startsWith("H")',
        f'device.attributes["{D}"].index < 4 && device.attributes["{D}"].healthy',
        f'device.attributes["{D}"]["index"] == 3',
        'device.attributes["other.io"].numa == 1',
        f'device.attributes["{D}"].driverVersion.isGreaterThan(semver("570.1.0"))',
        f'device.attributes["{D}"].driverVersion.compareTo(semver("570.1.2")) == 0',
        f'device.attributes["{D}"].driverVersion.major() == 570',
        f'device.capacity["{D}"].memory.compareTo(quantity("80Gi")) > 0',
        f'device.capacity["{D}"].memory.isGreaterThan(quantity("140Gi"))',
        f'device.capacity["{D}"].memory == quantity("144384Mi")',
        f'device.capacity["{D}"].memory.sub(quantity("1Gi")).isLessThan(quantity("141Gi"))',
        f'cel.bind(a, device.attributes["{D}"], a.index == 3 && a.healthy)',
        f'"model" in device.attributes["{D}"]',
        f'!has(device.attributes["{D}"].nope)',
        f'device.attributes["{D}"].?nope.orValue(7) == 7',
        '!("x" in device.attributes["unknown.domain"])',
        'semver("1.2.3-rc.1").isLessThan(semver("1.2.3"))',
        'isQuantity("5Gi") && !isQuantity("five") && isSemver("1.0.0")',
    ],
)
def test_true(expression: str) -> None:
    assert CelSelectors().matches(expression, DEVICE)


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("device.driver ==", "does not compile"),
        ("devices.driver", "undeclared reference"),
        (f'device.attributes["{D}"].nope == 1', "failed on device gpu.example.com/n1/gpu-0"),
        ('device.attributes["unknown.domain"].x == 1', "no such key"),
        (f'device.attributes["{D}"].index', "must be a bool"),
        ('quantity("five").isInteger()', "quantities must match the regular"),
        ('semver("1").major() == 1', "not a semantic version"),
        ("true" + " " * 11_000, "longer than"),
        ("optional.of(true)" + ".optMap(x, x)" * 40 + ".value()", "chain fewer"),
        (r'"x".matches("\\C")', "invalid matches argument"),
        ('"x".matches("(?P<é>x)")', "invalid matches argument"),
        (r'"x".matches("\\pL{1000}")', "pattern too large"),
    ],
)
def test_errors_say_what_is_wrong(expression: str, says: str) -> None:
    with pytest.raises(SelectorError, match=says):
        CelSelectors().matches(expression, DEVICE)


def test_an_expression_runs_once_per_shape_it_can_see() -> None:
    selectors = CelSelectors()
    for index in range(100):
        gpu = device(
            D,
            "n1",
            f"gpu-{index}",
            attributes={f"{D}/model": "H200" if index % 2 else "B200", f"{D}/index": index},
            capacity={},
        )
        answer = selectors.matches(f'device.attributes["{D}"].model == "H200"', gpu)
        assert answer == bool(index % 2)
    assert selectors.evaluations == 2


def test_what_may_read_every_attribute_runs_for_every_shape() -> None:
    selectors = CelSelectors()
    for index in range(5):
        gpu = device(
            D,
            "n1",
            f"gpu-{index}",
            attributes={f"{D}/a": index},
            capacity={},
        )
        expression = f'device.attributes["{D}"].exists(k, k == "a")'
        assert selectors.matches(expression, gpu)
    assert selectors.evaluations == 5


def test_types_are_told_apart() -> None:
    selectors = CelSelectors()
    expression = f'device.attributes["{D}"].x == 1'
    answers = []
    for value in (1, True, "1"):
        answers.append(selectors.matches(expression, device(D, "p", "d", {f"{D}/x": value})))
    assert answers == [True, False, False]
