"""Reports training progress on rank 0's pod: steps, loss, the newest durable step."""

from __future__ import annotations

from mizzen.base import names
from mizzen.node.core.gang import Member
from mizzen.node.core.membership import Checkpointed, Fact, Membership, Progressed
from mizzen.node.training.job import Job

PROGRESS_NS = 1_000_000_000  # between two reports


def progress_facts(job: Job, lead: Member, told: Membership) -> list[Fact]:
    """The facts that the pod of rank 0 does not state yet."""
    done, file = job.gang.steps_done, job.files[lead.rank]
    if not done or told.annotations.get(names.STEP) == str(done):
        return []
    loss = file.loss
    metrics = {"loss": loss} if loss == loss else {}
    seconds = round(file.step_seconds, 6)
    news: list[Fact] = [Progressed(done, lead.view.steps_total, metrics, seconds)]
    if job.durable_word:
        news.append(Checkpointed(job.durable_word - 1))
    return news
