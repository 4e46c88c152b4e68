"""Identifiers are random UUIDs of version 4."""

from __future__ import annotations

import uuid

from mizzen.apiserver.identifiers import new_id


def test_identifiers_are_uuids_and_all_different() -> None:
    made = [new_id() for _ in range(2000)]
    assert len(set(made)) == len(made)
    for each in made:
        read = uuid.UUID(each)
        assert str(read) == each and read.version == 4 and read.variant == uuid.RFC_4122
