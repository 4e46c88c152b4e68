"""Configurations in YAML: what they mean as JSON, within bounds."""

from __future__ import annotations

from typing import Any, cast

import yaml

from mizzen.base.errors import BadRequest, TooLarge

YAML_BYTES_MAX = 1 << 20  # a second or so to parse; JSON may have what a body may
DUPLICATES_MAX = 20  # that are told
VALUES_MAX = 200_000  # after aliases are followed: a few lines can mean millions


class _Loader(yaml.CSafeLoader):
    """YAML without moments: `2026-01-02` is the text that it is, as in JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def parse(body: bytes) -> tuple[Any, tuple[str, ...]]:
    """The value as of JSON, and the fields that are repeated. Errors: BadRequest, TooLarge."""
    if len(body) > YAML_BYTES_MAX:
        raise TooLarge(
            f"a configuration in YAML may have at most {YAML_BYTES_MAX} bytes, this one has "
            f"{len(body)}: send it as JSON"
        )
    loader: Any = _Loader(body)
    duplicates: list[str] = []
    try:
        node = loader.get_node() if loader.check_node() else None  # the first document, as upstream
        _find_duplicates(node, duplicates, [VALUES_MAX])
        found = loader.construct_document(node) if node is not None else None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadRequest(f"error decoding YAML: {' '.join(str(error).split())}") from error
    finally:
        loader.dispose()
    left = [VALUES_MAX]
    try:
        return _as_json(found, left), tuple(duplicates)
    except RecursionError as error:
        raise BadRequest("error decoding YAML: it is nested too deeply") from error


def _find_duplicates(node: Any, found: list[str], left: list[int]) -> None:
    """Adds the keys that a mapping repeats, as upstream's parser tells them. Errors: BadRequest."""
    left[0] -= 1
    if left[0] < 0:
        raise BadRequest(f"error decoding YAML: it has more than {VALUES_MAX} values")
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _find_duplicates(child, found, left)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, child in node.value:
            name = str(key.value)
            if name in seen and len(found) < DUPLICATES_MAX:
                found.append(f'line {key.start_mark.line + 1}: key "{name}" already set in map')
            seen.add(name)
            _find_duplicates(child, found, left)


def _as_json(value: Any, left: list[int]) -> Any:
    """A copy of its own of what YAML means, with text as keys. Errors: BadRequest."""
    left[0] -= 1
    if left[0] < 0:
        raise BadRequest(f"error decoding YAML: it has more than {VALUES_MAX} values")
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", value).items()
        return {_key(key): _as_json(child, left) for key, child in items}
    if isinstance(value, list):
        return [_as_json(child, left) for child in cast("list[Any]", value)]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise BadRequest(f"error decoding YAML: {type(value).__name__} is no value of JSON")


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, str | int | float):
        return str(key)
    raise BadRequest(f"error decoding YAML: {type(key).__name__} is no name of a field")
