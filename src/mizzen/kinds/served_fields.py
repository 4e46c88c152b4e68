"""The treatment of each field, by type: acted upon, accepted, warned of, refused, refused by nodes.

Each module says it in `SERVED_FIELDS` of the types that it declares. A type is named by the last
three words of its OpenAPI definition. Types that only stand below a refused field are not here, nor
is `status`, which components write. A new field of a schema fails
`tests/unit/kinds/test_served_fields.py` until it is in here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from mizzen.base.registry import collect
from mizzen.kinds.treatment import Fields, Treatment

# Of a definition's schema `kinds/structural.py` says what is served.
UNLISTED = frozenset({"apiextensions.v1.JSONSchemaProps"})
_WORDS = 3  # core.v1.PodSpec of io.k8s.api.core.v1.PodSpec


@cache
def table() -> Mapping[str, Fields]:
    """The treatment of each field, by type and name."""
    found: dict[str, Fields] = {}
    for module, fields in collect("mizzen.kinds", "SERVED_FIELDS"):
        twice = found.keys() & fields.keys()
        assert not twice, f"{module}: {', '.join(twice)} are another module's"
        found |= fields
    return found


def table_name(definition: str) -> str:
    """The name under which the table has a type, from that of its OpenAPI definition."""
    return ".".join(definition.split(".")[-_WORDS:])


def treatments(definition: str) -> Mapping[str, Treatment]:
    """The treatment of each field of a type; fields that are not in the table have none."""
    return table().get(table_name(definition), {})
