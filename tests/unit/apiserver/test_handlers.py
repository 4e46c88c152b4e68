"""What kinds say that they have is answered, and nothing is answered that no kind says."""

from __future__ import annotations

from mizzen.apiserver import handlers
from mizzen.kinds.registry import builtin_kinds, virtual_kinds
from mizzen.kinds.subresource import SCALE_SUBRESOURCE

KINDS = (*builtin_kinds().values(), *virtual_kinds().values())


def test_each_verb_of_each_subresource_has_its_handler_and_no_other_has() -> None:
    said = {below for kind in KINDS for below in kind.subresources} | {SCALE_SUBRESOURCE}
    verbs = {(below.name, verb) for below in said for verb in below.verbs}
    assert verbs == set(handlers.of_subresources())


def test_each_verb_of_each_virtual_kind_has_its_handler_and_no_other_has() -> None:
    verbs = {(k.resource.plural, verb) for k in virtual_kinds().values() for verb in k.verbs}
    assert verbs == set(handlers.of_virtual_kinds())


def test_no_name_stands_for_two_subresources() -> None:
    """Handlers are found by it."""
    said = {below for kind in KINDS for below in kind.subresources}
    said = {(below.name, below.verbs, below.media_type) for below in said}
    assert len({name for name, _, _ in said}) == len(said)
