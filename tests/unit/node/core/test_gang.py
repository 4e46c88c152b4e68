"""The gang machine: formations out, deaths in."""

from __future__ import annotations

from mizzen.base.segment import FLAG_STOP, RankState
from mizzen.node.core import gang as core
from mizzen.node.core.gang import Fail, Gang, Kill, Member, RankView, Ready, Restart, SetControl

S = 1_000_000_000


def gang_of(size: int) -> Gang:
    """`size` ranks that were spawned at 0 and run together as generation 1."""
    gang = Gang()
    gang.members = {r: Member(r, f"u{r}") for r in range(size)}
    for rank in range(size):
        assert core.on_spawn(gang, f"u{rank}", 0) == (1, [])
    awaiting = {r: RankView(RankState.AWAITING) for r in range(size)}
    assert core.on_rank_views(gang, awaiting, 1) == [Ready(f"u{r}") for r in range(size)]
    assert core.on_formation(gang, (1, size), 2) == [SetControl(1, size, 0)]
    core.on_rank_views(gang, joined(size, 1, 5), 3)
    return gang


def joined(size: int, generation: int, steps: int) -> dict[int, RankView]:
    return {r: RankView(RankState.JOINED, generation, steps, 100, own_steps=1) for r in range(size)}


def test_a_death_kills_those_that_hang_and_all_restart_together() -> None:
    gang = gang_of(3)
    commands = core.on_exit(gang, "u1", 137, "boom", 10)
    assert [c.uid for c in commands if isinstance(c, Kill)] == ["u0", "u2"]
    assert core.on_exit(gang, "u0", 137, "", 11) == []
    commands = core.on_exit(gang, "u2", 137, "", 12)
    assert commands == [Restart(f"u{r}", 2, 10) for r in range(3)]


def test_a_rank_that_only_waits_is_left_alone() -> None:
    gang = gang_of(2)
    gang.members[2] = Member(2, "u2")
    assert core.on_spawn(gang, "u2", 5) == (2, [])
    core.on_rank_views(gang, {2: RankView(RankState.AWAITING)}, 6)
    commands = core.on_exit(gang, "u0", 137, "boom", 10)
    assert [c.uid for c in commands if isinstance(c, Kill)] == ["u1"]
    assert core.on_exit(gang, "u1", 137, "", 11) == [Restart("u0", 2, 10), Restart("u1", 2, 10)]


def test_a_starting_rank_that_dies_takes_nobody_along() -> None:
    gang = gang_of(2)
    gang.members[2] = Member(2, "u2")
    core.on_spawn(gang, "u2", 5)
    core.on_rank_views(gang, {2: RankView(RankState.STARTING)}, 6)
    assert core.on_exit(gang, "u2", 1, "raised", 10) == [Restart("u2", 2, 10)]


def test_who_left_is_killed_at_once_and_nobody_mourns() -> None:
    gang = gang_of(3)
    gang.members[2].is_terminating = True
    assert core.on_formation(gang, (2, 2), 10) == [SetControl(2, 2, 0)]
    views = joined(2, 2, 6) | {2: RankView(RankState.LEFT, 1, 6, 100)}
    assert [c.uid for c in core.on_rank_views(gang, views, 11) if isinstance(c, Kill)] == ["u2"]
    assert core.on_exit(gang, "u2", 137, "", 12) == []


def test_a_deleted_rank_that_never_joined_is_killed() -> None:
    gang = gang_of(2)
    gang.members[2] = Member(2, "u2")
    core.on_spawn(gang, "u2", 5)
    core.on_rank_views(gang, {2: RankView(RankState.AWAITING)}, 6)
    gang.members[2].is_terminating = True
    assert [c.uid for c in core.on_formation(gang, (1, 2), 6) if isinstance(c, Kill)] == ["u2"]
    assert core.on_exit(gang, "u2", 137, "", 7) == []


def test_all_deleted_means_stop_and_a_new_one_means_go() -> None:
    gang = gang_of(2)
    for member in gang.members.values():
        member.is_terminating = True
    assert core.on_formation(gang, (1, 2), 10) == [SetControl(1, 2, FLAG_STOP)]
    gang.members[0] = Member(0, "new")
    assert core.on_spawn(gang, "new", 20)[1] == [SetControl(1, 2, 0)]


def test_gives_up_after_failures_without_a_step_between() -> None:
    gang = gang_of(1)
    at = 10 * S
    for attempt in range(2):
        commands = core.on_exit(gang, "u0", 1, "bad luck", at)
        assert commands == [Restart("u0", 2, at + (0, 1)[attempt] * S)]
        core.on_spawn(gang, "u0", at)
        at += S
    (failed,) = core.on_exit(gang, "u0", 1, "bad luck", at)
    assert (
        isinstance(failed, core.Fail)
        and "3 times" in failed.message
        and "bad luck" in failed.message
    )


def test_going_down_is_nobodys_failure() -> None:
    """However often the instance goes down before the first step, the job is not given up."""
    gang = gang_of(1)
    for _ in range(5):
        commands = core.on_exit(gang, "u0", 143, "the instance went down", 10 * S, counts=False)
        assert commands == [Restart("u0", 2, 10 * S)]
        core.on_spawn(gang, "u0", 10 * S)
    assert gang.failures == 0


def test_ranks_that_fail_in_the_same_attempt_are_one_failure() -> None:
    """Three ranks that cannot read their data have tried once, not three times."""
    gang = Gang()
    gang.members = {r: Member(r, f"u{r}") for r in range(3)}
    commands: list[core.Command] = []
    for attempt in range(1, 4):
        for rank in range(3):
            core.on_spawn(gang, f"u{rank}", attempt * 10 * S)
        core.on_rank_views(
            gang, {r: RankView(RankState.STARTING) for r in range(3)}, attempt * 10 * S
        )
        for rank in range(3):
            commands += core.on_exit(gang, f"u{rank}", 1, "no data", attempt * 10 * S + 1)
        assert gang.failures == attempt
    assert "failed 3 times" in str([c for c in commands if isinstance(c, Fail)])


def test_a_deleted_member_that_its_pod_kills_is_nobodys_failure() -> None:
    """However slowly it leaves: its grace is over in the midst of a step."""
    gang = gang_of(2)
    gang.members[1].is_terminating = True
    core.on_formation(gang, (2, 1), 6)
    commands = core.on_exit(gang, "u1", 137, "its grace is over", 40 * S)
    assert [c.uid for c in commands if isinstance(c, Kill)] == ["u0"]
    assert core.on_exit(gang, "u0", 137, "", 41 * S) == [Restart("u0", 3, 40 * S)]
    assert gang.failures == 0


def test_a_verdict_outlives_the_agent_that_found_it() -> None:
    gang = gang_of(1)
    gang.failures, gang.best_step, gang.last_failure = 3, 5, "rank 0: exit code 1"
    gang.members[0].was_counted = True
    (failed,) = core.on_exit(gang, "u0", 1, "", 10)
    assert isinstance(failed, Fail) and "at last rank 0: exit code 1" in failed.message


def test_a_step_between_clears_the_count() -> None:
    gang = gang_of(1)
    for steps in range(6, 16):
        core.on_rank_views(gang, joined(1, 1, steps), steps * S)
        commands = core.on_exit(gang, "u0", 1, "unlucky", steps * S)
        assert isinstance(commands[0], Restart) and commands[0].not_before == steps * S
        core.on_spawn(gang, "u0", steps * S)


def test_a_gang_without_progress_is_restarted_and_says_so() -> None:
    gang = gang_of(2)
    gang.deadline_ns = 5 * S
    assert core.on_rank_views(gang, joined(2, 1, 5), 4 * S) == []
    commands = core.on_rank_views(gang, joined(2, 1, 5), 6 * S)
    assert isinstance(commands[0], core.Hung) and "no step within 5 s" in commands[0].message
    assert [c.uid for c in commands if isinstance(c, Kill)] == ["u0", "u1"]


def test_success_of_all_only_tells_latecomers_to_leave() -> None:
    gang = gang_of(2)
    core.on_rank_views(gang, {r: RankView(RankState.FINISHED, 1, 100, 100) for r in range(2)}, 9)
    assert core.on_exit(gang, "u1", 0, "", 10) == []
    gang.members[2] = Member(2, "u2")
    core.on_spawn(gang, "u2", 11)
    assert core.on_formation(gang, (2, 3), 12) == [SetControl(2, 3, 0)]
    assert core.on_exit(gang, "u0", 0, "", 13) == [SetControl(2, 3, FLAG_STOP)]
    core.on_rank_views(gang, {2: RankView(RankState.LEFT)}, 14)
    assert core.on_exit(gang, "u2", 0, "", 15) == []
    assert all(m.is_finished for m in gang.members.values())


def test_who_is_killed_after_its_last_step_starts_anew() -> None:
    """Rank 0 with those that still run, so that what follows the training happens once more; others
    alone. What the program itself did fails the pod: it would do it again."""
    done = {r: RankView(RankState.FINISHED, 1, 100, 100, own_steps=9) for r in range(3)}
    gang = gang_of(3)
    core.on_rank_views(gang, done, 9)
    assert core.on_exit(gang, "u2", 0, "", 10) == []
    assert core.on_exit(gang, "u1", 137, "killed", 11) == [Restart("u1", 2, 11)]
    core.on_spawn(gang, "u1", 12)
    assert core.on_exit(gang, "u0", 143, "the instance went down", 13, counts=False) == [
        Restart("u0", 2, 13)
    ]
    gang = gang_of(3)
    core.on_rank_views(gang, done, 9)
    assert core.on_exit(gang, "u2", 0, "", 10) == []
    assert core.on_exit(gang, "u0", 137, "killed", 11) == [Kill("u1", "rank 0 of the gang died")]
    restarts = [Restart("u0", 2, 11), Restart("u1", 2, 11)]
    assert core.on_exit(gang, "u1", 137, "", 12) == restarts
    gang = gang_of(1)
    core.on_rank_views(gang, {0: done[0]}, 9)
    assert core.on_exit(gang, "u0", 1, "no space", 10) == [
        Fail("u0", "FailedAfterTraining", "no space")
    ]


def test_who_comes_after_the_last_step_is_not_hung_while_rank_0_goes_on() -> None:
    gang = gang_of(2)
    core.on_rank_views(gang, {r: RankView(RankState.FINISHED, 1, 100, 100) for r in range(2)}, 9)
    core.on_exit(gang, "u1", 137, "killed", 10)
    core.on_spawn(gang, "u1", 11)
    core.on_rank_views(gang, {1: RankView(RankState.AWAITING)}, 12)
    core.on_formation(gang, (2, 2), 13)
    assert core.on_rank_views(gang, {1: RankView(RankState.AWAITING)}, 3600 * S) == []


def growing() -> Gang:
    """Two ranks run as generation 1, a third waits and was offered for generation 2; then it is
    deleted, and generation 3 is to be of two again."""
    gang = gang_of(2)
    gang.formed = 1
    gang.members[2] = Member(2, "u2")
    core.on_spawn(gang, "u2", 5)
    core.on_rank_views(gang, {2: RankView(RankState.AWAITING)}, 6)
    assert core.on_formation(gang, (2, 3), 7) == [SetControl(2, 3, 0)]
    gang.members[2].is_terminating = True
    assert core.on_formation(gang, (3, 2), 8) == [SetControl(3, 2, 0)]
    return gang


def test_a_deleted_rank_is_not_taken_from_those_that_may_be_assembling_with_it() -> None:
    gang = growing()
    gang.formed = 2  # rank 0 had acted on the offer: all three are connecting
    assert core.on_rank_views(gang, {2: RankView(RankState.AWAITING)}, 9) == []
    views = joined(3, 2, 6)
    assert core.on_rank_views(gang, views, 10) == []
    gang.formed = 3
    views = joined(2, 3, 7) | {2: RankView(RankState.LEFT, 2, 7, 100)}
    assert [c.uid for c in core.on_rank_views(gang, views, 11) if isinstance(c, Kill)] == ["u2"]


def test_a_deleted_rank_goes_once_rank_0_formed_without_it() -> None:
    gang = growing()
    gang.formed = 3
    commands = core.on_rank_views(gang, joined(2, 3, 7) | {2: RankView(RankState.AWAITING)}, 9)
    assert [c.uid for c in commands if isinstance(c, Kill)] == ["u2"]


def test_who_dies_while_others_may_be_assembling_with_it_takes_them_along() -> None:
    gang = growing()
    commands = core.on_exit(gang, "u2", 137, "grace is over", 9)
    assert [c.uid for c in commands if isinstance(c, Kill)] == ["u0", "u1"]
    core.on_exit(gang, "u0", 137, "", 10)
    assert core.on_exit(gang, "u1", 137, "", 11) == [Restart("u0", 4, 9), Restart("u1", 4, 9)]


def assembling() -> Gang:
    """Three that are in no formation yet and connect as generation 1; rank 1 is deleted, so that
    generation 2 is to be of rank 0 alone."""
    gang = Gang(members={r: Member(r, f"u{r}") for r in range(3)})
    for rank in range(3):
        core.on_spawn(gang, f"u{rank}", 0)
    core.on_rank_views(gang, {r: RankView(RankState.AWAITING) for r in range(3)}, 1)
    core.on_formation(gang, (1, 3), 2)
    gang.formed = 1
    gang.members[1].is_terminating = True
    assert core.on_formation(gang, (2, 1), 3) == [SetControl(2, 1, 0)]
    return gang


def test_all_that_assemble_with_the_dead_one_fall_though_the_next_formation_is_smaller() -> None:
    for culprit, others in (("u1", ["u0", "u2"]), ("u0", ["u1", "u2"])):
        commands = core.on_exit(assembling(), culprit, 137, "", 4)
        assert [c.uid for c in commands if isinstance(c, Kill)] == others


def test_who_left_as_the_job_stopped_and_is_offered_anew_takes_those_along_that_assemble() -> None:
    gang = Gang(members={r: Member(r, f"u{r}") for r in range(3)})
    for rank in range(3):
        core.on_spawn(gang, f"u{rank}", 0)
    waiting = {r: RankView(RankState.AWAITING) for r in (0, 2)}
    core.on_rank_views(gang, waiting | {1: RankView(RankState.LEFT)}, 1)
    core.on_formation(gang, (1, 3), 2)
    gang.members[1].is_terminating = True
    commands = core.on_exit(gang, "u1", 137, "", 3)
    assert [c.uid for c in commands if isinstance(c, Kill)] == ["u0", "u2"]


def plain(size: int) -> Gang:
    """`size` ranks whose program knows of no formations."""
    gang = Gang()
    gang.members = {r: Member(r, f"u{r}") for r in range(size)}
    for rank in range(size):
        core.on_spawn(gang, f"u{rank}", 0)
    return gang


def test_a_program_without_formations_keeps_its_grace() -> None:
    gang = plain(1)
    gang.members[0].is_terminating = True
    for at in (1, 60 * S):
        commands = [
            *core.on_formation(gang, (0, 0), at),
            *core.on_rank_views(gang, {0: RankView()}, at),
        ]
        assert not any(isinstance(c, Kill) for c in commands)
    assert core.on_exit(gang, "u0", 0, "", 61 * S) == []
    assert not gang.members[0].is_finished


def test_who_fails_takes_nobody_along_that_is_within_its_grace() -> None:
    """Also when the gang is given up: the pod of who was asked to end sees to its end."""
    gang = plain(3)
    gang.members[2].is_terminating = True
    commands = core.on_exit(gang, "u1", 1, "rank 2 does not answer", S)
    assert [c.uid for c in commands if isinstance(c, Kill)] == ["u0"]
    commands = core.on_exit(gang, "u0", 137, "", S)
    restarts = [c for c in commands if isinstance(c, Restart)]
    assert restarts == [Restart("u0", 1, S), Restart("u1", 1, S)]
    gang.max_failures = 2
    core.on_spawn(gang, "u0", 2 * S)
    core.on_spawn(gang, "u1", 2 * S)
    core.on_exit(gang, "u1", 1, "again", 3 * S)
    commands = core.on_exit(gang, "u0", 137, "", 3 * S)
    assert [c.uid for c in commands if isinstance(c, Fail)] == ["u0", "u1"]
    assert not gang.members[2].is_killed


def test_looks_closely_only_while_something_is_awaited() -> None:
    gang = gang_of(2)
    assert not core.is_watched_closely(gang, 10)
    core.on_formation(gang, (2, 1), 11)
    assert core.is_watched_closely(gang, 12)


def test_ranks_that_ran_apart_do_not_go_on_from_each_others_state() -> None:
    """Rank 1 did all steps by itself and ended well, while rank 0 waited for it in its first."""
    gang = gang_of(2)
    views = {
        0: RankView(RankState.JOINED, 1, 0, 12, own_steps=0),
        1: RankView(RankState.FINISHED, 1, 12, 12, own_steps=12),
    }
    core.on_rank_views(gang, views, 10)
    assert core.on_exit(gang, "u1", 0, "", 11) == []
    commands = core.on_exit(gang, "u0", 137, "hung", 400)
    assert [(c.uid, c.reason) for c in commands if isinstance(c, Fail)] == [
        ("u0", "RanksOutOfStep")
    ]
    assert "rank 1 completed 12 steps of formation 1 and rank 0 0" in str(commands)


def test_a_step_apart_is_a_death_in_the_middle_of_one() -> None:
    gang = gang_of(2)
    views = {r: RankView(RankState.JOINED, 1, 7 + r, 12, own_steps=2 + r) for r in range(2)}
    core.on_rank_views(gang, views, 10)
    core.on_exit(gang, "u0", 137, "boom", 11)
    commands = core.on_exit(gang, "u1", 137, "", 12)
    assert commands == [Restart("u0", 2, 11), Restart("u1", 2, 11)]


def test_a_rank_that_gets_nowhere_in_any_of_its_lives_fails_the_job() -> None:
    """Rank 1 gets on by a step in each formation, and rank 0, which waits for it, by none."""
    gang = gang_of(2)
    commands: list[core.Command] = []
    for life in range(1, 4):
        views = {
            0: RankView(RankState.JOINED, life, 5, 100, own_steps=0),
            1: RankView(RankState.JOINED, life, 5 + life, 100, own_steps=1),
        }
        core.on_rank_views(gang, views, 100 * life)
        core.on_exit(gang, "u0", 137, "hung", 100 * life + 1)
        commands = core.on_exit(gang, "u1", 137, "", 100 * life + 2)
        for rank in range(2):
            core.on_spawn(gang, f"u{rank}", 100 * life + 3)
        core.on_formation(gang, (life + 1, 2), 100 * life + 4)
    assert [c.reason for c in commands if isinstance(c, Fail)] == ["TooManyFailures"] * 2
