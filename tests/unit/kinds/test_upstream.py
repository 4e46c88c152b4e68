"""Kinds and types that come from the tables: what they say, and that they say it of every type."""

from __future__ import annotations

from importlib.resources import files

import orjson
import pytest

from mizzen.base.resources import PODS, Resource
from mizzen.kinds import openapi, upstream
from mizzen.kinds.decoding import decode
from mizzen.kinds.kind import Kind
from mizzen.kinds.registry import builtin_kinds, converted_kinds
from mizzen.kinds.schema import LazyFields, Schema, written
from mizzen.kinds.upstream import resources, table_of, upstream_kind, upstream_type

KINDS = builtin_kinds()
CSI_DRIVERS = Resource("storage.k8s.io", "v1", "csidrivers", "CSIDriver", namespaced=False)


def _kind(plural: str) -> Kind:
    return next(kind for place, kind in KINDS.items() if place[1] == plural)


def _types() -> list[str]:
    found: list[str] = []
    for path in files("mizzen.kinds.tables").iterdir():
        if path.name.endswith(".json") and path.name != "resources.json":
            table = orjson.loads(path.read_bytes())
            found += [f"{table['package']}.{word}" for word in table["types"]]
    return sorted(found)


def test_everything_upstream_serves_by_default_is_served() -> None:
    stored = {resource for resource, row in resources().items() if "update" in row["verbs"]}
    served = {kind.resource for kind in (*KINDS.values(), *converted_kinds())}
    assert stored <= served


@pytest.mark.parametrize("name", _types())
def test_every_type_of_the_tables_is_a_schema(name: str) -> None:
    schema = upstream_type(name)
    assert schema.name in (name, "")
    for field, child in schema.fields.items():
        assert child.type, field


def test_a_type_is_not_made_before_its_first_use() -> None:
    made = upstream_kind(CSI_DRIVERS)
    fields = made.schema.fields
    assert isinstance(fields, LazyFields) and fields._made is None  # pyright: ignore
    assert set(fields) == {"apiVersion", "kind", "metadata", "spec"}
    assert upstream_type("io.k8s.api.storage.v1.CSIDriverSpec") is upstream_type(
        "io.k8s.api.storage.v1.CSIDriverSpec"
    )


def test_fields_of_a_file_stand_in_place_of_the_tables() -> None:
    spec = Schema("object", name="io.k8s.api.storage.v1.CSIDriverSpec", description="Ours.")
    made = upstream_kind(CSI_DRIVERS, "A driver.", fields={"spec": spec}, generation=True)
    assert made.schema.fields["spec"] is spec and made.generation
    assert made.schema.description == "A driver."


def test_types_that_are_written_out_win_over_the_table() -> None:
    template = upstream_type("io.k8s.api.core.v1.PodTemplateSpec")
    assert template.fields["spec"].base() is upstream_type("io.k8s.api.core.v1.PodSpec").base()
    assert template.description


def _merging(schema: Schema) -> tuple[object, ...]:
    """Whatever server-side apply and strategic merge do with a field by its schema."""
    if schema.type != "array":
        return ()
    by_keys = "map" if schema.list_keys else "set" if schema.merge or schema.unique else "atomic"
    return (
        schema.list_type or by_keys, schema.list_keys,
        schema.merge, schema.merge_key, schema.retain_keys,
    )  # fmt: skip


@pytest.mark.parametrize("name", [name for name in _types() if written(name)])
def test_types_that_are_written_out_merge_as_the_tables_say(name: str) -> None:
    ours, package = written(name), name.rpartition(".")[0]
    assert ours is not None
    facts = table_of(name)
    assert ours.map_type == facts.get("map", "")
    for field, said in facts.get("fields", {}).items():
        if field in ours.fields and said["type"].startswith("[]"):
            theirs = upstream._field(said, package)  # pyright: ignore
            assert _merging(ours.fields[field])[1:] == _merging(theirs)[1:], field
            assert _merging(ours.fields[field])[0] == said.get("list", "atomic"), field


def test_what_the_tables_do_not_have_is_an_error() -> None:
    for name in ("io.k8s.api.storage.v1.Nothing", "io.k8s.api.nowhere.v1.Thing"):
        with pytest.raises(KeyError):
            table_of(name)
    with pytest.raises(KeyError):
        upstream_kind(Resource("", "v9", "pods", "Pod"))


def test_zeros_that_upstream_stores_are_stored() -> None:
    """Go cannot tell an absent number from 0, and writes it: clients read it back."""
    schema = upstream_type("io.k8s.api.policy.v1.PodDisruptionBudgetStatus")
    assert decode(schema, {}).object == {
        "currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0,
    }  # fmt: skip


def test_lists_and_moments_that_are_null_are_not_required() -> None:
    schema = upstream_type("io.k8s.api.events.v1.EventSeries")
    assert decode(schema, {"count": 1, "lastObservedTime": None}).causes == []
    assert schema.fields["lastObservedTime"].expected
    nodes = upstream_type("io.k8s.api.storage.v1.CSINodeSpec")
    assert decode(nodes, {"drivers": None}).causes == []


def test_a_pointer_that_upstream_requires_is_required() -> None:
    schema = upstream_type("io.k8s.api.resource.v1.Counter")
    (cause,) = decode(schema, {}).causes
    assert (cause.field, cause.message) == ("value", "Required value")


def test_list_types_and_merge_keys_are_those_of_the_table() -> None:
    claims = upstream_type("io.k8s.api.core.v1.PersistentVolumeClaimStatus").fields["conditions"]
    assert (claims.list_type, claims.list_keys) == ("map", ("type",))
    assert (claims.merge, claims.merge_key) == (True, "type")
    subject = upstream_type("io.k8s.api.rbac.v1.RoleRef")
    assert subject.map_type == "atomic"


def test_the_documents_publish_list_types_and_what_is_required() -> None:
    kind = _kind("persistentvolumes")
    schemas = openapi.document("", "v1", [kind])["components"]["schemas"]
    spec = schemas["io.k8s.api.core.v1.PersistentVolumeSpec"]["properties"]
    assert spec["accessModes"]["x-kubernetes-list-type"] == "atomic"
    source = schemas["io.k8s.api.core.v1.ISCSIPersistentVolumeSource"]
    assert sorted(source["required"]) == ["iqn", "lun", "targetPortal"]


def test_a_kind_has_its_names_verbs_and_status_from_discovery() -> None:
    kind = upstream_kind(PODS)
    assert kind.short_names == ("po",) and kind.categories == ("all",)
    assert [each.name for each in kind.subresources] == ["status"]
    assert "deletecollection" in kind.verbs and kind.generation
    assert upstream_kind(CSI_DRIVERS).subresources == ()


def test_nobody_acts_upon_a_kind_without_a_file() -> None:
    assert not _kind("csidrivers").is_acted_upon
    assert _kind("pods").is_acted_upon
