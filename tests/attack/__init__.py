"""`make attack`: an instance under hostile and clumsy use, and whoever must not notice it.

`run.py` starts one instance, strikes it with what each family brings and looks after every strike
whether all of it still stands. A family is a file of its own:

    def attacks(stage: Stage) -> Iterator[Attack]            # the named ones, each struck once
    def generated(stage: Stage, chance: Random) -> Iterator[Attack]   # optional, without end

An attack's `strike` sends, writes or starts something bounded that stops by itself, to loopback
only, and asserts what the right answer is. What it leaves behind it removes. The stage asserts
the rest: no process died or was restarted, the API and the gateway answer, the bystander pod runs.
"""
