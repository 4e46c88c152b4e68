"""Requests for certificates are accepted, refused and changed as kube-apiserver does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import api_process, certificate_cases
from support.real_cluster import real_cluster

Answers = dict[str, Any]


def comparable(answer: tuple[int, Any]) -> tuple[int, Any]:
    """Without what is of chance: metadata, times, the uid of upstream's test user."""
    status, said = answer
    if said.get("kind") == "Status":
        return status, (said["message"], said.get("reason"), said.get("details"))
    for condition in said.get("status", {}).get("conditions", []):
        for name in ("lastUpdateTime", "lastTransitionTime"):
            assert re.fullmatch(r"[0-9T:Z-]{20}", condition.pop(name))
    said["spec"].pop("uid", None)
    return status, (said["spec"], said["status"])


def answers(ask: certificate_cases.Ask) -> Answers:
    created = {f"create: {case}": made for case, made in certificate_cases.create_all(ask).items()}
    changes = {f"change {at}": made for at, made in enumerate(certificate_cases.change_all(ask))}
    return {case: comparable(made) for case, made in {**created, **changes}.items()}


@pytest.fixture(scope="module")
def both(
    peers: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Answers, Answers]]:
    with real_cluster(tmp_path_factory.mktemp("kubernetes"), gates=(), runtime_config=()) as real:
        theirs = answers(real.call)
    with api_process.running(tmp_path_factory.mktemp("mizzen")) as ours:
        yield theirs, answers(ours.call)


def test_every_answer_is_upstreams(both: tuple[Answers, Answers]) -> None:
    theirs, ours = both
    differing = {case: (theirs[case], ours[case]) for case in theirs if theirs[case] != ours[case]}
    assert not differing
    assert len(theirs) > 50
