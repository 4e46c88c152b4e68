"""A small language for structural schemas, compact enough that a whole Pod spec stays readable.

    PORT = v1("ContainerPort", "A port.", containerPort=INT32("Number.", required=True))

A `Schema` is a value. Calling it gives a copy with a description and other changes, so shared
types are used as `STR("The node's name.")`. One schema yields decoding (types, unknown fields,
defaults; `decoding.py`), strategic-merge rules (`patches.py`) and OpenAPI (`openapi.py`).

Source: apiextensions "structural schema"; OpenAPI 3.0 schema objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Type = Literal["any", "object", "array", "string", "integer", "number", "boolean", "int-or-string"]

# Changes that alter what decodes, or how fields are managed; all others share what is compiled with
# the original.
_SHAPE = frozenset(
    ("type", "fields", "values", "items", "format", "enum", "minimum", "maximum", "min_length",
     "max_length", "min_items", "max_items", "pattern", "unique", "nullable", "open", "list_keys",
     "served_as", "list_type", "map_type", "merge", "merge_key", "recurs")
)  # fmt: skip


def _no_fields() -> Mapping[str, Schema]:
    return {}


@dataclass(frozen=True, eq=False)
class Schema:
    """One node of a schema. Compared by identity, since nodes may be shared and recursive."""

    type: Type = "any"
    description: str = ""
    name: str = ""  # of the OpenAPI definition; "" = written in place
    served_as: str = ""  # its name in `served_fields`, where that is not its own
    fields: Mapping[str, Schema] = field(default_factory=_no_fields)
    values: Schema | None = None  # of a map with arbitrary keys
    items: Schema | None = None
    format: str = ""  # int32, int64, double, date-time, micro-time, quantity, byte
    enum: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    min_items: int | None = None
    max_items: int | None = None
    pattern: str = ""
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False
    multiple_of: float | None = None
    combined: Mapping[str, Any] = field(default_factory=_no_fields)  # allOf, anyOf, oneOf, not
    default: Any = None  # inserted where the field is absent; None = no default
    required: bool = False  # as a field of its parent
    expected: bool = False  # published as required, not enforced: null and absent are fine
    nullable: bool = False
    open: bool = False  # keeps fields it does not know
    embedded: bool = False  # a whole object with apiVersion, kind and metadata
    unique: bool = False  # a list whose items (or their list_keys) must differ
    list_keys: tuple[str, ...] = ()  # x-kubernetes-list-map-keys
    list_type: str = ""  # x-kubernetes-list-type; "" = as list_keys, merge and unique have it
    map_type: str = ""  # x-kubernetes-map-type: "atomic", or "" = granular
    merge_key: str = ""  # strategic merge: key of the list's items
    merge: bool = False  # strategic merge: merge this list instead of replacing it
    retain_keys: bool = False  # strategic merge: a union, of which $retainKeys clears the rest
    recurs: bool = False  # values come from templates: what follows from one is remembered
    target: Callable[[], Schema] | None = None  # a recursive reference
    cache: dict[Any, Any] = field(default_factory=dict[Any, Any], repr=False)

    def __call__(self, description: str = "", /, **changes: Any) -> Schema:
        """A copy, as a field says more about the type it uses."""
        if description:
            changes["description"] = description
        if not _SHAPE.isdisjoint(changes):
            changes["cache"] = {}
        elif self.name:
            self.cache.setdefault("base", self)
        assert changes.keys() <= self.__dict__.keys(), f"{changes} are no fields of a schema"
        copy = object.__new__(Schema)
        # `replace` costs twenty times as much, and there are thousands of them at each start.
        copy.__dict__.update(self.__dict__, **changes)
        return copy

    def base(self) -> Schema:
        """The named type that this is a use of, without what the use adds."""
        return self.cache.get("base", self)

    def resolve(self) -> Schema:
        """The schema itself, or what a recursive reference stands for."""
        return self.target() if self.target else self


class LazyFields(Mapping[str, Schema]):
    """Fields that are made at their first use: most types of upstream's never are."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Mapping[str, Schema]]) -> None:
        self._make = make
        self._made: Mapping[str, Schema] | None = None

    def _fields(self) -> Mapping[str, Schema]:
        if self._made is None:
            self._made = self._make()
        return self._made

    def __getitem__(self, name: str) -> Schema:
        return self._fields()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields())

    def __len__(self) -> int:
        return len(self._fields())


def partial(schema: Schema) -> Schema:
    """The schema of a patch: the same fields and types, of which none must be there."""
    return replace(
        schema,
        fields={name: partial(child) for name, child in schema.fields.items()},
        values=partial(schema.values) if schema.values is not None else None,
        items=partial(schema.items) if schema.items is not None else None,
        required=False,
        expected=False,
        default=None,
        min_items=None,
        cache={},
    )


STR = Schema("string")
BOOL = Schema("boolean")
INT32 = Schema("integer", format="int32")
INT64 = Schema("integer", format="int64")
NUMBER = Schema("number", format="double")
ANY = Schema("any")
OPEN = Schema("object", open=True)
EMPTY = Schema("object")  # being there says all; any field in it is unknown
TIME = Schema(
    "string", name="io.k8s.apimachinery.pkg.apis.meta.v1.Time", format="date-time",
    description="A moment in RFC 3339, whole seconds.",
)  # fmt: skip
MICRO_TIME = Schema(
    "string", name="io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime", format="micro-time",
    description="A moment in RFC 3339 with microseconds.",
)  # fmt: skip
QUANTITY = Schema(
    "string", name="io.k8s.apimachinery.pkg.api.resource.Quantity", format="quantity",
    description='A number with an optional unit: "500m", "2Gi", "1e3".',
)  # fmt: skip
INT_OR_STR = Schema(
    "int-or-string", name="io.k8s.apimachinery.pkg.util.intstr.IntOrString", format="int-or-string",
    description="An integer or a string, such as a port's number or its name.",
)  # fmt: skip


def array(
    items: Schema,
    *,
    key: str = "",
    keys: tuple[str, ...] = (),
    merge: bool = False,
    unique: bool = False,
) -> Schema:
    """A list. `key` makes strategic merge match items by it; `keys` are the list-map keys."""
    return Schema(
        "array",
        items=items,
        merge_key=key,
        merge=merge or bool(key),
        list_keys=keys or ((key,) if key else ()),
        unique=unique,
    )


def mapping(values: Schema) -> Schema:
    """An object with arbitrary keys and values of one type."""
    return Schema("object", values=values)


STRINGS = array(STR)
STRING_MAP = mapping(STR)
QUANTITIES = mapping(QUANTITY)


def choice(*allowed: str, default: str | None = None) -> Schema:
    """A string out of a fixed set."""
    return Schema("string", enum=allowed, default=default)


def has_defaults(schema: Schema) -> bool:
    """True if decoding inserts anything anywhere; recursive types count as if they did."""
    if schema.default is not None or schema.target is not None:
        return True
    parts = (*schema.fields.values(), schema.values, schema.items)
    return any(has_defaults(part) for part in parts if part is not None)


def lazy(name: str, target: Callable[[], Schema]) -> Schema:
    """A reference to a schema that is not finished yet, for recursive types."""
    return Schema("object", name=name, target=target)


# Types that modules write out and that server-side apply takes as one value, as the tables have it.
_CORE, _META = "io.k8s.api.core.v1", "io.k8s.apimachinery.pkg.apis.meta.v1"
_ATOMIC = frozenset(
    (
        f"{_CORE}.ConfigMapKeySelector", f"{_CORE}.FileKeySelector", f"{_CORE}.SecretKeySelector",
        f"{_CORE}.LocalObjectReference", f"{_CORE}.TypedLocalObjectReference",
        f"{_CORE}.ObjectReference", f"{_CORE}.NodeSelector", f"{_CORE}.NodeSelectorTerm",
        f"{_CORE}.ObjectFieldSelector", f"{_CORE}.ResourceFieldSelector",
        f"{_META}.LabelSelector", f"{_META}.OwnerReference",
    )
)  # fmt: skip

_RECURRING = frozenset((f"{_CORE}.PodSpec",))


def package(prefix: str) -> Callable[..., Schema]:
    """A maker of named records: `v1 = package("io.k8s.api.core.v1")`."""

    def record(name: str, description: str, /, **fields: Schema) -> Schema:
        whole = f"{prefix}.{name}"
        map_type = "atomic" if whole in _ATOMIC else ""
        made = Schema(
            "object", name=whole, description=description, fields=fields, map_type=map_type,
            recurs=whole in _RECURRING,
        )  # fmt: skip
        _WRITTEN.setdefault(made.name, made)
        return made

    return record


_WRITTEN: dict[str, Schema] = {}


def written(name: str) -> Schema | None:
    """The named record that a module loaded so far writes out, None where there is none."""
    return _WRITTEN.get(name)


def record(description: str = "", /, **fields: Schema) -> Schema:
    """An object with fixed fields, written in place."""
    return Schema("object", description=description, fields=fields)


def required(*names: str) -> Callable[[Schema], Schema]:
    """Marks fields of a record as required."""

    def mark(schema: Schema) -> Schema:
        fields = dict(schema.fields)
        for name in names:
            fields[name] = fields[name](required=True)
        return schema(fields=fields)

    return mark


def at(schema: Schema, path: str) -> Schema | None:
    """The schema of a field named by a dotted path, None where there is none."""
    node = schema.resolve()
    for part in path.split("."):
        child = node.fields.get(part) or node.values
        if child is None:
            return None
        node = child.resolve()
    return node
