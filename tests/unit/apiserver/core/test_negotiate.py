from __future__ import annotations

import pytest

from mizzen.apiserver.core.negotiate import (
    PLAIN,
    Form,
    check_media,
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
    assert form_of(partial) == Form("PartialObjectMetadata", "v1beta1", of_list=True)
    assert form_of("application/yaml,application/json") == Form(is_yaml=True)
    assert form_of("application/json,application/yaml") == PLAIN


def test_the_metadata_of_a_list_are_asked_for_as_such() -> None:
    one = form_of("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io")
    one.check_listing(is_list=False, of="core.Pod")
    with pytest.raises(NotAcceptable, match=r"is a list \(\*core\.PodList\)"):
        one.check_listing(is_list=True, of="core.PodList")
    with pytest.raises(NotAcceptable, match=r"is not a list \(\*core\.Pod\)"):
        Form("PartialObjectMetadata", of_list=True).check_listing(is_list=False, of="core.Pod")


def test_built_in_kinds_name_what_there_is() -> None:
    check_media("text/html, */*;q=0.1", is_list=False)
    for is_list in (False, True):
        with pytest.raises(NotAcceptable, match="406: Not Acceptable") as refused:
            check_media("text/html", is_list=is_list)
        assert ("stream=watch" in refused.value.message) == is_list
        assert refused.value.to_status()["details"] == {}


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


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("application/*", PLAIN),
        ("text/html;q=1, application/yaml;q=0.5, application/json;q=0.1", Form(is_yaml=True)),
        ("application/json;q=0", PLAIN),
        ("application/json;stream=watch", PLAIN),
        ("application/yaml;as=Table;v=v1;g=meta.k8s.io", Form("Table", is_yaml=True)),
        ("application/json;as=Table, application/json", PLAIN),
    ],
)
def test_wishes_are_heard_in_upstreams_order(accept: str, form: Form) -> None:
    assert form_of(accept) == form


@pytest.mark.parametrize(
    "accept",
    [
        "APPLICATION/JSON", "application/json;as=Table", "application/json;v=v1", "x", ",",
        "application/json;stream=other", "application/yaml;stream=watch", "application/json;sv=v2",
    ],
)  # fmt: skip
def test_what_is_no_wish_for_anything_served(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        form_of(accept)
