from __future__ import annotations

import pytest

from mizzen.apiserver.core.negotiate import (
    PLAIN,
    Form,
    discovery_version,
    form_of,
    takes_protobuf_alone,
)
from mizzen.base.errors import NotAcceptable


def test_the_first_form_that_is_served_wins() -> None:
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    assert form_of(f"{table},application/json") == Form("Table", "v1")
    assert form_of(f"application/cbor, {table}") == Form("Table", "v1")
    assert form_of("application/vnd.kubernetes.protobuf,application/json") == PLAIN
    assert form_of("") == form_of("*/*") == PLAIN
    partial = "application/json;as=PartialObjectMetadataList;v=v1beta1;g=meta.k8s.io"
    assert form_of(partial) == Form("PartialObjectMetadata", "v1beta1")


@pytest.mark.parametrize("accept", ["text/html", "application/json;as=Chart;v=v1;g=meta.k8s.io"])
def test_what_is_not_served_is_refused(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        form_of(accept)


def test_protobuf_is_for_those_who_take_nothing_else() -> None:
    protobuf = "application/vnd.kubernetes.protobuf"
    assert form_of(protobuf) == Form(is_protobuf=True)
    assert takes_protobuf_alone(protobuf)
    for accept in ("", "*/*", "text/html", f"{protobuf},application/json"):
        assert not takes_protobuf_alone(accept)
    with pytest.raises(NotAcceptable):
        form_of(f"{protobuf};as=Table;v=v1;g=meta.k8s.io")


def test_discovery_versions() -> None:
    group_list = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"
    assert discovery_version(f"{group_list.format('v2')},application/json") == "v2"
    assert discovery_version(f"{group_list.format('v9')},application/json") == ""
    assert discovery_version("application/json") == ""
