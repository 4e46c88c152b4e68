"""Environment, images, devices: from objects to what a process gets."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from mizzen.node.core.environment import Sources, Unresolved, environment, expand, needed
from mizzen.node.core.images import resolve

POD: dict[str, Any] = {
    "metadata": {"name": "p", "namespace": "ns", "labels": {"app": "x"}, "annotations": {}},
    "spec": {
        "containers": [
            {"name": "main", "resources": {"limits": {"cpu": "1500m", "memory": "64Mi"}}}
        ]
    },
}


def env_of(
    env: list[dict[str, Any]], sources: Sources | None = None, **container: Any
) -> dict[str, str]:
    full = {**POD["spec"]["containers"][0], "env": env, **container}
    return environment(POD, full, {"BASE": "b"}, sources or Sources())


def test_references_expand_in_order() -> None:
    assert expand("$(A)-$$(A)-$(NO)", {"A": "1"}) == "1-$(A)-$(NO)"
    result = env_of([{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)$(BASE)"}])
    assert result == {"BASE": "b", "A": "1", "B": "1b"}


def test_values_from_everywhere() -> None:
    sources = Sources(
        {"cm": {"kind": "ConfigMap", "data": {"k": "v"}}},
        {"s": {"kind": "Secret", "data": {"p": base64.b64encode(b"pw").decode()}}},
        {"status.podIP": "127.99.0.2"},
    )
    origins = {
        "IP": {"fieldRef": {"fieldPath": "status.podIP"}},
        "NAME": {"fieldRef": {"fieldPath": "metadata.name"}},
        "APP": {"fieldRef": {"fieldPath": "metadata.labels['app']"}},
        "K": {"configMapKeyRef": {"name": "cm", "key": "k"}},
        "P": {"secretKeyRef": {"name": "s", "key": "p"}},
        "CPU": {"resourceFieldRef": {"resource": "limits.cpu"}},
        "MEM": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}},
    }
    env = [{"name": n, "valueFrom": o} for n, o in origins.items()]
    result = env_of(env, sources, envFrom=[{"prefix": "C_", "configMapRef": {"name": "cm"}}])
    assert result == {
        "BASE": "b", "C_k": "v", "IP": "127.99.0.2", "NAME": "p", "APP": "x", "K": "v", "P": "pw",
        "CPU": "2", "MEM": "64",
    }  # fmt: skip


def test_what_is_missing_is_named() -> None:
    origin = {"configMapKeyRef": {"name": "cm", "key": "k"}}
    with pytest.raises(Unresolved, match='ConfigMap "cm" does not exist'):
        env_of([{"name": "A", "valueFrom": origin}])
    sources = Sources({"cm": {"kind": "ConfigMap", "data": {"other": ""}}})
    with pytest.raises(Unresolved, match=r"no key 'k'; it has \['other'\]"):
        env_of([{"name": "A", "valueFrom": origin}], sources)
    origin["configMapKeyRef"]["optional"] = True  # type: ignore[assignment]
    assert env_of([{"name": "A", "valueFrom": origin}]) == {"BASE": "b"}


def test_needed_maps_are_found() -> None:
    spec = {
        "containers": [{"name": "m", "envFrom": [{"secretRef": {"name": "s"}}]}],
        "volumes": [{"name": "v", "configMap": {"name": "cm"}}],
    }
    assert needed(spec) == ({"cm"}, {"s"})


def test_images() -> None:
    def argv(look: str = "", **container: Any) -> tuple[str, ...]:
        return resolve(container, {"X": "1"}, "/py/bin/python", lambda _: look).argv  # type: ignore[arg-type, return-value]

    assert argv(image="mizzen.dev/python", args=["-c", "$(X)"]) == ("/py/bin/python", "-c", "1")
    assert argv(image="mizzen.dev/python:latest", command=["sh"]) == ("sh",)
    assert argv(image="mizzen.dev/engine", args=["m"]) == (
        "/py/bin/python",
        "-m",
        "mizzen.engine",
        "m",
    )
    assert argv("environment", image="/venv/") == ("/venv/bin/python",)
    for image, reason in (
        ("nginx", "ErrImageNeverPull"),
        ("/no", "InvalidImageName"),
        ("", "InvalidImageName"),
    ):
        with pytest.raises(Unresolved) as error:
            argv(image=image)
        assert error.value.reason == reason and "mizzen.dev/python" in str(error.value)
