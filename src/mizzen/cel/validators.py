"""What is asked of expressions whose types are right: literals of one type each, and literal
arguments that the functions which get them can read.

Source: google/cel-go cel/validator.go, v0.26, as Kubernetes sets it up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from mizzen.cel import clock, formats, regex, tree, types
from mizzen.cel.tree import Call, ListNode, Literal, MapNode, Node
from mizzen.cel.types import Type
from mizzen.cel.values import Err

Found = tuple[int, str]  # the number of a node, and what is wrong with it


def problems_of(
    root: Node, known: Mapping[int, Type], shown: Callable[[Type], str], steps: types.Steps
) -> list[Found]:
    """`known`: types by nodes' numbers. Errors: TooManySteps."""
    nodes = tree.walk(root)
    calls = [node for node in nodes if isinstance(node, Call)]
    found = [each for name in _READS for each in _unreadable(calls, name)]
    found += _mixed(root, known, shown, steps)
    for call in calls:
        found += formats.problems_of(call, known, shown)
    return found


def _duration(value: object) -> bool:
    return not isinstance(value, str) or not isinstance(clock.to_duration([value]), Err)


def _timestamp(value: object) -> bool:
    return not isinstance(value, str) or not isinstance(clock.to_timestamp([value]), Err)


def _pattern(value: object) -> bool:
    if not isinstance(value, str):
        return True
    try:
        regex.compiled(value)
    except regex.RegexError as error:
        # What is too large alone is told when its program is made: upstream takes larger ones.
        return regex.TOO_LARGE in str(error)
    return True


_READS: Mapping[str, Callable[[object], bool]] = {
    "duration": _duration, "timestamp": _timestamp, "matches": _pattern,
}  # fmt: skip


def _unreadable(calls: list[Call], function: str) -> Iterator[Found]:
    for call in calls:
        if call.function != function or not call.args:
            continue
        first = call.args[0]
        if isinstance(first, Literal) and not _READS[function](first.value):
            yield first.id, f"invalid {function} argument"


def _mixed(
    root: Node, known: Mapping[int, Type], shown: Callable[[Type], str], steps: types.Steps
) -> Iterator[Found]:
    """Literals with elements of several types, even where dyn would allow them."""

    def kind(node: Node, is_optional: bool) -> Type:
        found = known[node.id]
        return types.unwrapped(found)[0] if is_optional else found

    def mismatch(node: Node, wanted: Type, found: Type) -> Found:
        return node.id, f"expected type '{shown(wanted)}' but found '{shown(found)}'"

    nodes = _outside_format(root)
    for node in nodes:
        if not isinstance(node, ListNode) or not node.elements:
            continue
        first = kind(node.elements[0], 0 in node.optional)
        for at, element in enumerate(node.elements):
            t = kind(element, at in node.optional)
            if not types.equal(first, t, steps):
                yield mismatch(element, first, t)
                break
    for node in nodes:
        if not isinstance(node, MapNode) or not node.entries:
            continue
        key, value = (known[node.entries[0].key.id],
                      kind(node.entries[0].value, node.entries[0].optional))  # fmt: skip
        for entry in node.entries[1:]:
            of_key, of_value = known[entry.key.id], kind(entry.value, entry.optional)
            if not types.equal(key, of_key, steps):
                yield mismatch(entry.key, key, of_key)
            if not types.equal(value, of_value, steps):
                yield mismatch(entry.value, value, of_value)


def _outside_format(root: Node) -> list[Node]:
    found = [root]
    for node in found:
        if not (isinstance(node, Call) and node.function == "format"):
            found.extend(tree.children(node))
    return found
