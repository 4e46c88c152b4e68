"""Environment, images, devices: from objects to what a process gets."""

from __future__ import annotations

import base64
import os
import time
from typing import Any

import pytest

from mizzen.node.core.environment import (
    Sources,
    Unresolved,
    check_size,
    environment,
    expand,
    needed,
)
from mizzen.node.runtimes.process.images import resolve
from mizzen.node.runtimes.process.requests import replace_hosts

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
    return environment(POD, full, {"GIVEN": "g"}, sources or Sources())


def test_references_expand_in_order() -> None:
    assert expand("$(A)-$$(A)-$(NO)", {"A": "1"}, "it") == "1-$(A)-$(NO)"
    result = env_of([{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)$(GIVEN)$(HOME)"}])
    assert result == {"A": "1", "B": "1g$(HOME)"}


def test_a_bomb_is_named_while_it_grows() -> None:
    env = [{"name": "A0", "value": "x" * 100}]
    env += [{"name": f"A{i + 1}", "value": f"$(A{i})$(A{i})"} for i in range(40)]
    with pytest.raises(Unresolved, match=r'variable "A11" of container "main" grows beyond 131072'):
        env_of(env)
    wide = [{"name": "A", "value": "x" * 100_000}]
    wide += [{"name": f"B{i}", "value": "$(A)"} for i in range(10_000)]
    with pytest.raises(Unresolved, match=r'2097152 bytes .* \(variable "B19" is one too many\)'):
        env_of(wide)


def test_bytes_stay_bytes_and_what_no_variable_can_hold_is_named() -> None:
    def secret(data: bytes) -> Sources:
        return Sources(
            {}, {"s": {"kind": "Secret", "data": {"k": base64.b64encode(data).decode()}}}
        )

    ref = [{"name": "CERT", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    raw = b"\xff\xd8\xff\xe0"
    assert os.fsencode(env_of(ref, secret(raw))["CERT"]) == raw
    whole = env_of([], secret(raw), envFrom=[{"secretRef": {"name": "s"}}])
    assert os.fsencode(whole["k"]) == raw
    origin = r'variable "CERT" of container "main", from key \'k\' of Secret "s"'
    with pytest.raises(Unresolved, match=origin + " holds a NUL byte"):
        env_of(ref, secret(b"a\0b"))
    with pytest.raises(Unresolved, match=origin + " takes 200006 bytes, above the 131072"):
        env_of(ref, secret(b"x" * 200_000))
    with pytest.raises(Unresolved, match=r'variable "k" .* from Secret "s" holds a NUL'):
        env_of([], secret(b"\0"), envFrom=[{"secretRef": {"name": "s"}}])


def test_binary_data_is_no_variable() -> None:
    maps = {"cm": {"kind": "ConfigMap", "data": {"t": "1"}, "binaryData": {"b": "AAAA"}}}
    assert env_of([], Sources(maps), envFrom=[{"configMapRef": {"name": "cm"}}]) == {"t": "1"}
    ref = {"configMapKeyRef": {"name": "cm", "key": "b"}}
    with pytest.raises(Unresolved, match="has no key 'b'"):
        env_of([{"name": "B", "valueFrom": ref}], Sources(maps))


def test_all_together_may_not_be_more_than_a_program_can_be_given() -> None:
    check_size(["a"], {"A": "x" * 100_000}, "main")
    with pytest.raises(Unresolved, match=r"word 1 of the command .* NUL"):
        check_size(["a", "b\0"], {}, "main")
    with pytest.raises(Unresolved, match=r"above the 2097152 .* \(largest variables: BIG, "):
        check_size(
            ["a"], {"BIG": "y" * 130_000, **{f"V{i}": "x" * 100_000 for i in range(20)}}, "c"
        )


def test_hosts_are_replaced_in_one_pass() -> None:
    hosts = {"job-0.job": "127.9.0.2"}
    text = "tcp://job-0.job.default.svc:29500 -job-0.job. x.job-0 job-0.jobs"
    told = "tcp://127.9.0.2:29500 -127.9.0.2. x.job-0 job-0.jobs"
    assert replace_hosts(text, hosts) == told
    long = "a" * 3_000_000 + " ."
    began = time.process_time()
    assert replace_hosts(long, hosts) == long
    assert time.process_time() - began < 1.0  # 87 s for a thirtieth of it once


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
        "C_k": "v", "IP": "127.99.0.2", "NAME": "p", "APP": "x", "K": "v", "P": "pw",
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
    assert env_of([{"name": "A", "valueFrom": origin}]) == {}


def test_needed_maps_are_found() -> None:
    spec = {
        "containers": [{"name": "m", "envFrom": [{"secretRef": {"name": "s"}}]}],
        "volumes": [{"name": "v", "configMap": {"name": "cm"}}],
    }
    assert needed(spec) == ({"cm"}, {"s"})


def test_images() -> None:
    def argv(look: str = "", **container: Any) -> tuple[str, ...]:
        return resolve(
            {"name": "main", **container}, {"X": "1"}, "/py/bin/python", lambda _: look
        ).argv  # type: ignore[arg-type, return-value]

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
