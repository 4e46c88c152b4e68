from typing import Any

import pytest

from mizzen.kinds.core.pod_rules import validate_pod_spec


def refused(*names: str, **spec: Any) -> list[str]:
    sysctls = [{"name": name, "value": "1"} for name in names]
    pod = {"containers": [], "securityContext": {"sysctls": sysctls}, **spec}
    return [f"{each.field}: {each.message}" for each in validate_pod_spec(pod, "spec")]


def test_names_are_those_of_kernel_parameters() -> None:
    assert refused("kernel.shmmax", "net/ipv4/ip_forward", "safe-and-unsafe") == []
    for name in ("foo-", "bar..", "a\\b", "x" * 254):
        (said,) = refused(name)
        assert said.startswith("spec.securityContext.sysctls[0].name: Invalid value")
    assert "[\\./])*" in refused("foo-")[0]


def test_each_is_said_once() -> None:
    assert refused("a.b", "a.b") == ['spec.securityContext.sysctls[1].name: Duplicate value: "a.b"']


@pytest.mark.parametrize(
    ("name", "field"), [("net.core.somaxconn", "hostNetwork"), ("kernel.shmmax", "hostIPC")]
)
def test_the_hosts_own_are_not_set_by_pods_in_its_namespace(name: str, field: str) -> None:
    (said,) = refused(name, **{field: True})
    assert f"may not be specified when '{field}' is true" in said
    assert refused(name) == []
