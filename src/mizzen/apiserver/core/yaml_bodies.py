"""Bodies in YAML: what they mean as JSON, within bounds, and what is wrong with those that are none.

Source: sigs.k8s.io/yaml, go.yaml.in/yaml/v2: libyaml in Go, so that ours finds what that one finds.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.reader import ReaderError
from yaml.scanner import ScannerError

from mizzen.apiserver.core import yaml_scalars
from mizzen.apiserver.core.envelope import NoJson
from mizzen.base.errors import TooLarge
from mizzen.base.go_text import printed, quoted

YAML_BYTES_MAX = 1 << 20  # a second or so to parse; JSON may have what a body may
DUPLICATES_MAX = 20  # that are told
VALUES_MAX = 200_000  # after aliases are followed: a few lines can mean millions

_SHOWN_DEPTH_MAX = 4
_PLAIN = "plain"  # the tag of scalars that say neither by quotes nor by a tag what they are
_ALIAS = re.compile(r"\*([\w-]+)")
_MERGES_NO_MAP = "map merge requires map or sequence of maps as the value"


class NoYaml(NoJson):
    """A body that is no YAML, or means nothing in JSON; `problem` says why."""


class _Loader(yaml.CSafeLoader):
    """Makes nodes alone."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        if kind is yaml.ScalarNode:
            return _PLAIN if implicit[0] else yaml_scalars.STR
        return ""


def parse(body: bytes) -> tuple[Any, tuple[str, ...]]:
    """The value as of JSON, and the fields that are repeated, in upstream's words.

    Errors: NoYaml, TooLarge.
    """
    if len(body) > YAML_BYTES_MAX:
        raise TooLarge(
            f"a configuration in YAML may have at most {YAML_BYTES_MAX} bytes, this one has "
            f"{len(body)}: send it as JSON"
        )
    reading = _Reading()
    try:
        node = _first_document(body)
        value = reading.value(node) if node is not None else None
    except ReaderError as error:
        raise NoYaml(f"yaml: {error.reason}") from error
    except yaml.MarkedYAMLError as error:
        raise NoYaml(f"yaml: {_where(error)}{_problem(error, body)}") from error
    except yaml_scalars.Undecodable as error:
        raise NoYaml(f"yaml: {error}") from error
    except RecursionError as error:
        raise NoYaml("yaml: it is nested too deeply") from error
    return value, tuple(reading.duplicates)


def _first_document(body: bytes) -> Any:
    """What follows is not looked at, as upstream."""
    loader: Any = _Loader(body)
    try:
        return loader.get_node() if loader.check_node() else None
    finally:
        loader.dispose()


def _where(error: yaml.MarkedYAMLError) -> str:
    """Lines are counted from zero, but where the scanner stopped."""
    marks = (error.problem_mark, error.context_mark)
    lines: list[int] = [mark.line if mark is not None else 0 for mark in marks]
    line = lines[0] or lines[1]
    if isinstance(error, ComposerError):
        return ""
    if lines[0] and isinstance(error, ScannerError):
        line += 1
    return f"line {line}: " if line else ""


def _problem(error: yaml.MarkedYAMLError, body: bytes) -> str:
    if isinstance(error, ComposerError) and error.problem_mark is not None:
        text = body.decode(errors="replace")
        alias = _ALIAS.match(text, error.problem_mark.index)
        if alias is not None:
            return f"unknown anchor '{alias[1]}' referenced"
    return error.problem or "unknown problem parsing YAML content"


class _Reading:
    """Makes values of nodes."""

    def __init__(self) -> None:
        self.duplicates: list[str] = []
        self._left = VALUES_MAX

    def value(self, node: Any) -> Any:
        """Errors: NoYaml, Undecodable, RecursionError."""
        self._left -= 1
        if self._left < 0:
            raise NoYaml("yaml: document contains excessive aliasing")
        if isinstance(node, yaml.ScalarNode):
            return _as_json(_scalar(node))
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child) for child in node.value]
        made: dict[str, Any] = {}
        self._fill(made, node)
        return dict(sorted(made.items()))  # as Go's writer of JSON has them, by which it is read

    def _fill(self, made: dict[str, Any], node: Any) -> None:
        for key, child in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == "<<" and key.tag in _MERGING:
                for each in _merged(child):
                    self._fill(made, each)
                continue
            name, shown = _key(key)
            value = self.value(child)
            if name in made and len(self.duplicates) < DUPLICATES_MAX:
                line = child.start_mark.line + 1
                self.duplicates.append(f"line {line}: key {shown} already set in map")
            made[name] = value


_MERGING = (_PLAIN, yaml_scalars.MERGE)


def _merged(node: Any) -> list[Any]:
    """The mappings that a merge key names, those first that others win over. Errors: Undecodable."""
    nodes: list[Any] = list(reversed(node.value)) if isinstance(node, yaml.SequenceNode) else [node]
    if not all(isinstance(each, yaml.MappingNode) for each in nodes):
        raise yaml_scalars.Undecodable(_MERGES_NO_MAP)
    return nodes


def _scalar(node: Any) -> Any:
    text: str = node.value
    return yaml_scalars.plain(text) if node.tag == _PLAIN else yaml_scalars.tagged(node.tag, text)


def _as_json(value: Any) -> Any:
    """As it is read again once it is written as JSON. Errors: NoYaml for what JSON cannot say."""
    if type(value) is int:
        return value if -(1 << 63) <= value < 1 << 63 else float(value)
    if type(value) is not float:
        return value
    if not math.isfinite(value):
        raise NoYaml(f"json: unsupported value: {printed(value)}")
    is_whole = value.is_integer() and abs(value) < 1 << 63
    return int(value) if is_whole else value


def _key(node: Any) -> tuple[str, str]:
    """A key as the name of a field, and as Go's `%#v` shows it. Errors: NoYaml."""
    if not isinstance(node, yaml.ScalarNode):
        raise NoYaml(f"yaml: invalid map key: {_in_go(node, 0)}")
    key = _scalar(node)
    if key is None:
        raise NoYaml("unsupported map key of type: %!s(<nil>), key: <nil>")
    if isinstance(key, bool):
        return (word := "true" if key else "false"), word
    if isinstance(key, str):
        return key, quoted(key)
    if isinstance(key, float) and not math.isfinite(key):
        return {math.inf: ".inf", -math.inf: "-.inf"}.get(key, ".nan"), printed(key)
    return printed(key), printed(key)


def _in_go(node: Any, depth: int) -> str:
    """A value as Go's `%#v` shows it, as far down as anybody reads."""
    if isinstance(node, yaml.ScalarNode):
        value = _scalar(node)
        return quoted(value) if isinstance(value, str) else printed(value)
    if depth > _SHOWN_DEPTH_MAX:
        return "..."
    below = depth + 1
    if isinstance(node, yaml.SequenceNode):
        return f"[]interface {{}}{{{', '.join(_in_go(each, below) for each in node.value)}}}"
    pairs = sorted(f"{_in_go(key, below)}:{_in_go(value, below)}" for key, value in node.value)
    return f"map[interface {{}}]interface {{}}{{{', '.join(pairs)}}}"
