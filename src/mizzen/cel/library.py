"""The implementation of each function of the environment.

By overload where upstream binds overloads (they check their arguments' types first), by function
where it binds one implementation to all of them.
"""

from __future__ import annotations

from mizzen.cel import (
    arithmetic,
    authorization,
    clock,
    kubernetes,
    network,
    sequences,
    strings,
    types,
)
from mizzen.cel.declarations import FUNCTIONS
from mizzen.cel.steps import Implementation
from mizzen.cel.values import Format, no_overload

# One implementation for all overloads: it looks at the values itself.
SINGLETONS: dict[str, Implementation] = {
    "!_": arithmetic.negation,
    "-_": arithmetic.negate,
    "_+_": arithmetic.add,
    "_-_": arithmetic.subtract,
    "_*_": arithmetic.multiply,
    "_/_": arithmetic.divide,
    "_%_": arithmetic.modulo,
    "_<_": arithmetic.comparison(-1),
    "_<=_": arithmetic.comparison(-1, 0),
    "_>_": arithmetic.comparison(1),
    "_>=_": arithmetic.comparison(0, 1),
    "@in": arithmetic.membership,
    "@not_strictly_false": arithmetic.not_strictly_false,
    "size": arithmetic.size,
    "type": arithmetic.type_of,
    "dyn": arithmetic.same,
    "matches": strings.matches,
    "contains": strings.contains,
    "startsWith": strings.starts_with,
    "endsWith": strings.ends_with,
    "sort": sequences.sort,
    "@sortByAssociatedKeys": sequences.sort,
}
# All overloads of these mean the same, once their arguments fit.
_BY_FUNCTION: dict[str, Implementation] = {
    "int": arithmetic.to_int,
    "uint": arithmetic.to_uint,
    "double": arithmetic.to_double,
    "string": strings.to_string,
    "timestamp": clock.to_timestamp,
    "duration": clock.to_duration,
    "charAt": strings.char_at,
    "lowerAscii": strings.lower_ascii,
    "upperAscii": strings.upper_ascii,
    "jsonpatch.escapeKey": strings.escape_key,
    "replace": strings.replace,
    "split": strings.split,
    "substring": strings.substring,
    "trim": strings.trim,
    "join": strings.join,
    "format": strings.format_text,
    "strings.quote": strings.quote,
    "find": strings.find,
    "findAll": strings.find_all,
    "quantity": kubernetes.quantity,
    "isQuantity": kubernetes.is_quantity,
    "sign": kubernetes.sign,
    "isInteger": kubernetes.is_integer,
    "asInteger": kubernetes.as_integer,
    "asApproximateFloat": kubernetes.approximate,
    "add": kubernetes.combine(1),
    "sub": kubernetes.combine(-1),
    "isGreaterThan": kubernetes.ordered(lambda order: order == 1),
    "isLessThan": kubernetes.ordered(lambda order: order == -1),
    "compareTo": kubernetes.ordered(lambda order: order),
    "semver": kubernetes.semver,
    "isSemver": kubernetes.is_semver,
    "major": kubernetes.version_part("major"),
    "minor": kubernetes.version_part("minor"),
    "patch": kubernetes.version_part("patch"),
    "format.named": kubernetes.named_format,
    "validate": kubernetes.validate,
    "isIP": network.is_ip,
    "ip.isCanonical": network.is_canonical,
    "family": network.family,
    "cidr": network.cidr,
    "isCIDR": network.is_cidr,
    "containsIP": network.contains_ip,
    "containsCIDR": network.contains_cidr,
    "masked": network.masked,
    "prefixLength": network.prefix_length,
    "url": network.url,
    "isURL": network.is_url,
    "includes": sequences.includes,
    "isSorted": sequences.is_sorted,
    "min": sequences.extreme(1),
    "max": sequences.extreme(-1),
    "slice": sequences.slice_of,
    "flatten": sequences.flatten,
    "lists.range": sequences.count_up,
    "reverse": sequences.reverse,
    "distinct": sequences.distinct,
    "sets.contains": sequences.sets_contain,
    "sets.equivalent": sequences.sets_equivalent,
    "sets.intersects": sequences.sets_intersect,
    "cel.@mapInsert": sequences.map_insert,
    "optional.of": sequences.optional,
    "optional.ofNonZeroValue": sequences.optional_unless_zero,
    "optional.none": sequences.nothing,
    "value": sequences.value_of,
    "hasValue": sequences.has_value,
    "first": sequences.end_of(0),
    "last": sequences.end_of(-1),
    "optional.unwrap": sequences.unwrap,
    "unwrapOpt": sequences.unwrap,
    "path": authorization.path,
    "group": authorization.group,
    "serviceAccount": authorization.service_account,
    "resource": authorization.resource,
    "subresource": authorization.subresource,
    "namespace": authorization.namespace,
    "name": authorization.name,
    "fieldSelector": authorization.selected,
    "labelSelector": authorization.selected,
    "check": authorization.check,
    "allowed": authorization.allowed,
    "reason": authorization.reason,
    "error": authorization.error,
    "errored": authorization.errored,
    **{name: network.url_part(name) for name in network.URL_PARTS},
    **{name: clock.getter(name) for name in clock.GETTERS},
}
_BY_OVERLOAD: dict[str, Implementation] = {
    "bool_to_bool": arithmetic.same,
    "string_to_bool": arithmetic.to_bool,
    "bytes_to_bytes": arithmetic.same,
    "string_to_bytes": arithmetic.to_bytes,
    "int64_to_int64": arithmetic.same,
    "uint64_to_uint64": arithmetic.same,
    "timestamp_to_timestamp": arithmetic.same,
    "duration_to_duration": arithmetic.same,
    "int64_to_duration": arithmetic.unsupported,
    "string_to_ip": network.ip,
    "cidr_ip": network.cidr_ip,
    "list_a_index_of_int": sequences.index_of,
    "list_a_last_index_of_int": sequences.last_index_of,
    "string_index_of_string": strings.index_of,
    "string_index_of_string_int": strings.index_of,
    "string_last_index_of_string": strings.last_index_of,
    "string_last_index_of_string_int": strings.last_index_of,
    **{overload: network.property_of(overload) for overload in network.PROPERTIES},
    **{
        f"list_{kind}_sum_{kind}": sequences.total(kind)
        for kind in ("int", "uint", "double", "duration")
    },
    **{f"format.{name}": (lambda args, name=name: Format(name)) for name in kubernetes.FORMATS},  # type: ignore[misc]
}


def implementation(function: str, overloads: tuple[str, ...]) -> Implementation:
    """The function that runs a call of one of these overloads."""
    if function in SINGLETONS:
        return SINGLETONS[function]
    candidates = FUNCTIONS[function]
    if len(overloads) == 1:
        candidates = tuple(each for each in candidates if each.id == overloads[0])
    choices = [
        (each.args, _BY_OVERLOAD.get(each.id) or _BY_FUNCTION[function]) for each in candidates
    ]

    def dispatch(args: list[object]) -> object:
        for wanted, run in choices:
            if len(wanted) == len(args) and all(map(types.accepts, wanted, args)):
                return run(args)
        return no_overload(*args)

    return dispatch
