"""What rank 0's pod is told of the training's progress."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from mizzen.base import names, segment
from mizzen.node.core.gang import Gang, Member, RankView
from mizzen.node.core.membership import Checkpointed, Membership, Progressed
from mizzen.node.training.job import Job
from mizzen.node.training.progress import progress_facts
from mizzen.node.training.segments import GangPage, RankFile


@pytest.fixture
def job(tmp_path: Path) -> Job:
    made = Job("space/job", "uid", tmp_path, GangPage(tmp_path / "gang"), Gang())
    made.files[0] = RankFile(tmp_path / "rank-0")
    return made


def test_what_the_pod_says_already_is_no_news(job: Job) -> None:
    lead = Member(0, "u0", view=RankView(steps_total=9))
    assert progress_facts(job, lead, Membership()) == [], "no step is done"
    job.gang.steps_done = 4
    job.files[0].set(segment.RANK_OFFSET_STEP_NS, 1_500_000_000)
    assert progress_facts(job, lead, Membership()) == [Progressed(4, 9, {"loss": 0.0}, 1.5)]
    job.durable_word = 4
    nan = struct.unpack("<Q", struct.pack("<d", float("nan")))[0]
    job.files[0].set(segment.RANK_OFFSET_LOSS, nan)
    news = progress_facts(job, lead, Membership())
    assert news == [Progressed(4, 9, {}, 1.5), Checkpointed(3)]
    assert progress_facts(job, lead, Membership(annotations={names.STEP: "4"})) == []
