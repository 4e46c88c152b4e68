"""EndpointSlices and Endpoints are defaulted, checked and printed as upstream's."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mizzen.kinds.kind import Kind
from mizzen.kinds.registry import builtin_kinds

SLICES = builtin_kinds()[("discovery.k8s.io", "endpointslices")]
ENDPOINTS = builtin_kinds()[("", "endpoints")]


def complete(kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
    head = {"apiVersion": kind.resource.api_version, "kind": kind.resource.kind,
            "metadata": {"name": "x"}}  # fmt: skip
    decoded = kind.decode({**head, **copy.deepcopy(body)})
    assert not decoded.causes and not decoded.unknown, decoded
    kind.prepare_create(decoded.object)
    kind.default(decoded.object)
    return decoded.object


def slice_of(**more: Any) -> dict[str, Any]:
    return {"addressType": "IPv4", "endpoints": [], "ports": [{"port": 80}], **more}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (slice_of(endpoints=[{"addresses": ["127.64.0.2"]}]), ""),
        (slice_of(addressType="IPv5"), 'addressType: Unsupported value: "IPv5": supported values: '
         '"FQDN", "IPv4", "IPv6"'),
        (slice_of(endpoints=[{"addresses": []}]),
         "endpoints[0].addresses: Required value: must contain at least 1 address"),
        (slice_of(endpoints=[{"addresses": ["fd00::1"]}]),
         'endpoints[0].addresses: Invalid value: "fd00::1": must be an IPv4 address'),
        (slice_of(endpoints=[{"addresses": ["x"]}]), "endpoints[0].addresses[0]: Invalid value"),
        (slice_of(addressType="IPv6", endpoints=[{"addresses": ["FD00::1"]}]),
         'endpoints[0].addresses[0]: Invalid value: "FD00::1": must be in canonical form'),
        (slice_of(addressType="FQDN", endpoints=[{"addresses": ["local"]}]),
         'endpoints[0].addresses[0]: Invalid value: "local": should be a domain with at least two '
         "segments separated by dots"),
        (slice_of(endpoints=[{"addresses": ["1.1.1.1"]}] * 1001),
         "endpoints: Too many: 1001: must have at most 1000 items"),
        (slice_of(endpoints=[{"addresses": ["1.1.1.1"], "hostname": "A"}]),
         "endpoints[0].hostname: Invalid value"),
        (slice_of(endpoints=[{"addresses": ["1.1.1.1"], "hints": {"forZones": [
            {"name": "a"}, {"name": "a"}]}}]),
         'endpoints[0].hints.forZones[1].name: Duplicate value: "a"'),
        (slice_of(ports=[{"name": "a", "port": 1}, {"name": "a", "port": 2}]),
         'ports[1].name: Duplicate value: "a"'),
        (slice_of(ports=[{"protocol": "x"}]), "ports[0].protocol: Unsupported value"),
    ],
)  # fmt: skip
def test_rules_of_slices(body: dict[str, Any], said: str) -> None:
    found = [f"{c.field}: {c.message}" for c in SLICES.check(complete(SLICES, body), None)]
    assert (found == []) if not said else any(text.startswith(said) for text in found), found


def test_an_address_type_stays_and_old_endpoints_may_stay() -> None:
    old = complete(SLICES, slice_of(endpoints=[{"addresses": ["169.254.0.1"]}]))
    assert SLICES.check(copy.deepcopy(old), old) == []
    (cause,) = SLICES.check({**copy.deepcopy(old), "addressType": "IPv6"}, old)
    assert cause.message == 'Invalid value: "IPv6": field is immutable'


def test_slices_are_defaulted_warned_of_and_shown() -> None:
    addresses = [{"addresses": [f"10.0.0.{i}"]} for i in range(5)]
    made = complete(SLICES, slice_of(endpoints=addresses, ports=[{"port": 80}, {"name": "b"}]))
    assert made["ports"][0] == {"name": "", "protocol": "TCP", "port": 80}
    cells = [column.cell(made, 0) for column in SLICES.columns[:4]]
    assert cells == ["x", "IPv4", "80,b", "10.0.0.0,10.0.0.1,10.0.0.2 + 2 more..."]
    old = complete(SLICES, slice_of(addressType="FQDN"))
    assert SLICES.warn(old) == ["spec.addressType: FQDN endpoints are deprecated"]
    empty = complete(SLICES, slice_of(ports=[]))
    assert [column.cell(empty, 0) for column in SLICES.columns[2:4]] == ["<unset>", "<unset>"]


@pytest.mark.parametrize(
    ("subset", "said"),
    [
        ({"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}, ""),
        ({"notReadyAddresses": [{"ip": "10.0.0.1"}]}, ""),
        ({"ports": [{"port": 80}]},
         "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"),
        ({"addresses": [{"ip": "x"}]}, "subsets[0].addresses[0].ip: Invalid value"),
        ({"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 0}]},
         "subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"),
        ({"addresses": [{"ip": "10.0.0.1"}], "ports": [{"name": "a", "port": 1}, {"port": 2}]},
         "subsets[0].ports[1].name: Required value"),
    ],
)  # fmt: skip
def test_rules_of_endpoints(subset: dict[str, Any], said: str) -> None:
    made = complete(ENDPOINTS, {"subsets": [subset]})
    found = [f"{c.field}: {c.message}" for c in ENDPOINTS.check(made, None)]
    assert (found == []) if not said else any(text.startswith(said) for text in found), found


def test_endpoints_are_shown_and_deprecated() -> None:
    addresses = [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]
    made = complete(ENDPOINTS, {"subsets": [{"addresses": addresses, "ports": [{"port": 80}]}]})
    assert ENDPOINTS.columns[1].cell(made, 0) == "10.0.0.1:80,[fd00::1]:80"
    assert ENDPOINTS.columns[1].cell(complete(ENDPOINTS, {}), 0) == "<none>"
    assert ENDPOINTS.deprecation.startswith("v1 Endpoints is deprecated in v1.33+")
