"""Random sequences of writes, the same for the same seed: mostly valid, some not."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from support.apply_cases.kinds import CONFIG_MAP, DEPLOYMENT, GADGET, SERVICE
from support.apply_cases.steps import Place, Step

STEPS_MAX = 14
_MANAGERS = ("m1", "m2", "m3", "kubectl")
_Body = Callable[[random.Random], Any]


def sequence(seed: int) -> tuple[Place, list[Step]]:
    """The kind of object and what happens to it."""
    dice = random.Random(seed)
    place = dice.choice((CONFIG_MAP, DEPLOYMENT, GADGET, SERVICE))
    body = _BODIES[place.kind]
    first = Step(
        dice.choice(("create", "apply")), dice.choice(_MANAGERS), _whole(dice, body, place)
    )
    return place, [first, *(_step(dice, place, body) for _ in range(dice.randint(3, STEPS_MAX)))]


def _step(dice: random.Random, place: Place, body: _Body) -> Step:
    manager = dice.choice(_MANAGERS)
    roll = dice.random()
    if roll < 0.55:
        query = "force=true" if dice.random() < 0.4 else ""
        return Step("apply", manager, _whole(dice, body, place), query=query)
    if roll < 0.65 and place is not CONFIG_MAP:
        how = dice.choice(("apply", "merge"))
        return Step(how, manager, _STATUS[place.kind](dice), "status")
    if roll < 0.71:
        return Step("merge", manager, {"metadata": {"managedFields": dice.choice(([], [{}]))}})
    changed = {**_metadata(dice), **body(dice)}
    if roll < 0.8 and place is not GADGET:
        return Step("strategic", manager, changed)
    return Step("put" if roll < 0.9 else "merge", manager, changed)


def _whole(dice: random.Random, body: _Body, place: Place) -> Any:
    made = {**_metadata(dice), **body(dice)}
    if place is DEPLOYMENT:
        made["spec"]["selector"] = {"matchLabels": {"app": "a"}}
        made["spec"]["template"]["metadata"] = {"labels": {"app": "a"}}
    return made


def _some(dice: random.Random, chance: float = 0.5, **values: Callable[[], Any]) -> Any:
    """Each of the fields by chance, in the order that is written."""
    return {name: make() for name, make in values.items() if dice.random() < chance}


def _few(dice: random.Random, names: str, most: int) -> list[str]:
    """Some, at least one: Go's JSON leaves out empty lists and maps, which ours keeps."""
    found = names.split()
    return dice.sample(found, dice.randint(1, min(most, len(found))))


def _pairs(dice: random.Random) -> Any:
    return {name: dice.choice("12") for name in _few(dice, "a b c", 3)}


def _metadata(dice: random.Random) -> Any:
    found = _some(
        dice, 0.3, labels=lambda: _pairs(dice), annotations=lambda: _pairs(dice),
        finalizers=lambda: [f"e.dev/{name}" for name in _few(dice, "a b c", 2)],
    )  # fmt: skip
    return {"metadata": found} if found else {}


def _config_map(dice: random.Random) -> Any:
    return _some(dice, 0.8, data=lambda: _pairs(dice))


def _container(dice: random.Random, name: str) -> Any:
    return {
        "name": name,
        "image": dice.choice("xy"),
        **_some(
            dice, 0.3,
            args=lambda: _few(dice, "1 2", 2),
            env=lambda: [{"name": n, "value": dice.choice("12")} for n in _few(dice, "A B C", 2)],
            ports=lambda: [
                {"containerPort": 80, **_some(dice, protocol=lambda: "TCP", name=lambda: "web")}
            ],
            resources=lambda: {"limits": {"cpu": dice.choice(("1", "500m"))}},
            livenessProbe=lambda: {"httpGet": {"port": dice.choice((80, "web")), "path": "/"}},
        ),
    }  # fmt: skip


def _deployment(dice: random.Random) -> Any:
    containers = [_container(dice, name) for name in _few(dice, "a b c", 2)]
    pod = {
        "containers": containers,
        **_some(
            dice, 0.3,
            nodeSelector=lambda: _pairs(dice),
            tolerations=lambda: [{"key": dice.choice("ab"), "operator": "Exists"}],
            volumes=lambda: [{"name": n, "emptyDir": {}} for n in _few(dice, "v w", 2)],
        ),
    }  # fmt: skip
    spec = _some(
        dice, 0.4, replicas=lambda: dice.randint(0, 3), paused=lambda: True,
        minReadySeconds=lambda: dice.randint(1, 2),
    )  # fmt: skip
    return {"spec": {"template": {"spec": pod}, **spec}}


def _service(dice: random.Random) -> Any:
    ports = [
        {"port": number, "name": f"p{number}", **_some(dice, protocol=lambda: "TCP")}
        for number in map(int, _few(dice, "80 81 82", 2))
    ]
    return {"spec": {"ports": ports, **_some(dice, selector=lambda: _pairs(dice))}}


def _gadget(dice: random.Random) -> Any:
    spec = _some(
        dice, 0.4,
        size=lambda: dice.randint(0, 3),
        color=lambda: dice.choice(("red", "blue")),
        parts=lambda: [
            {"name": n, **_some(dice, port=lambda: 80, value=lambda: dice.choice("12"),
                                labels=lambda: _pairs(dice))}
            for n in _few(dice, "a b c", 3)
        ],
        tags=lambda: _few(dice, "s t u", 3),
        steps=lambda: [{"run": n} for n in _few(dice, "1 2", 2)],
        plain=lambda: _few(dice, "1 2", 2),
        box=lambda: _some(dice, a=lambda: dice.choice("12"), b=lambda: dice.choice("12")),
        nested=lambda: _some(dice, a=lambda: "1", b=lambda: _some(dice, c=lambda: "1")),
        open=lambda: {n: dice.choice(({"x": 1}, {"x": 2}, {"x": 3})) for n in _few(dice, "k l", 2)},
    )  # fmt: skip
    return {"spec": spec} if spec or dice.random() < 0.5 else {}


def _deployment_status(dice: random.Random) -> Any:
    return {"status": _some(dice, replicas=lambda: 1, readyReplicas=lambda: 1)}


def _service_status(dice: random.Random) -> Any:
    ingress = [{"ip": f"1.2.3.{name}"} for name in _few(dice, "1 2", 2)]
    return {"status": _some(dice, loadBalancer=lambda: {"ingress": ingress})}


def _gadget_status(dice: random.Random) -> Any:
    return {"status": _some(dice, phase=lambda: dice.choice("ab"), replicas=lambda: 1)}


_BODIES: dict[str, _Body] = {
    "ConfigMap": _config_map,
    "Deployment": _deployment,
    "Service": _service,
    "Gadget": _gadget,
}
_STATUS: dict[str, _Body] = {
    "Deployment": _deployment_status,
    "Service": _service_status,
    "Gadget": _gadget_status,
}
