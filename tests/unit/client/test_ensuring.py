"""What a lost answer means is looked up, not guessed."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mizzen.client.ensuring import holds
from mizzen.kinds.patches import merge_patch

NAMES = st.sampled_from("abc")
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(0, 2), st.lists(st.integers(0, 1)))
VALUES = st.recursive(LEAVES, lambda inner: st.dictionaries(NAMES, inner), max_leaves=6)
OBJECTS = st.dictionaries(NAMES, VALUES)


def without_nulls(value: Any) -> Any:
    """As a server stores it: null and absent are the same."""
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return value


@given(OBJECTS, OBJECTS)
def test_holds_means_that_the_patch_changes_nothing(obj: Any, patch: Any) -> None:
    stored = without_nulls(obj)
    patched = merge_patch(copy.deepcopy(stored), copy.deepcopy(patch))
    assert holds(stored, patch) == (patched == stored and not adds_empty(stored, patch))


def adds_empty(obj: Any, patch: Any) -> bool:
    """Whether the patch has a part that the object lacks: merging it makes it, empty or not."""
    return any(
        isinstance(v, dict) and (not isinstance(obj.get(k), dict) or adds_empty(obj[k], v))
        for k, v in patch.items()
    )


@given(OBJECTS, OBJECTS)
def test_what_was_patched_holds_the_patch(obj: Any, patch: Any) -> None:
    assert holds(merge_patch(without_nulls(obj), patch), patch)
