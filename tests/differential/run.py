"""`make differential`: random sequences to Mizzen and to kube-apiserver; what differs is printed.

python tests/differential/run.py --seed 1 --sequences 1000 --minutes 10
python tests/differential/run.py --replay FILE      a case that was printed, over both
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import pkgutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from differential import areas
from differential.compare import Difference, differences
from differential.draws import Draws
from differential.play import play
from differential.servers import Asked, OverHttps, in_process
from differential.setup import set_up
from differential.shrink import shrunk
from differential.steps import Case, Step
from support import api_process
from support.real_cluster import ADMIN, real_cluster

AT_ONCE = 6
PATIENT_S = 1.5  # quiet that a watch is given when a difference is looked at again


def generators() -> dict[str, Callable[[Draws], list[Step]]]:
    """By area: every module of `areas` with a `sequence`."""
    names = sorted(each.name for each in pkgutil.iter_modules(areas.__path__))
    found = {name: importlib.import_module(f"differential.areas.{name}") for name in names}
    return {name: module.sequence for name, module in found.items() if hasattr(module, "sequence")}


def case_of(seed: int, number: int, chosen: Sequence[str]) -> Case:
    area = chosen[number % len(chosen)]
    draws = Draws(f"{seed}/{area}/{number // len(chosen)}")
    return Case(f"{area}-{seed}-{number // len(chosen)}", generators()[area](draws))


@dataclass
class Pair:
    """Both servers, and what has been seen of them."""

    ours: Asked
    theirs: Asked | None  # None: what upstream says is recorded
    prefix: str
    count: int = 0
    found: list[tuple[Case, list[Difference]]] = field(default_factory=list[Any])

    def namespace(self) -> str:
        self.count += 1
        return f"{self.prefix}{self.count}"

    async def compared(
        self, case: Case, **how: Any
    ) -> tuple[list[Difference], list[Any], list[Any]]:
        namespace = self.namespace()
        if self.theirs is None:
            ours, theirs = await play(self.ours, namespace, case.steps, **how), case.expected
        else:
            ours, theirs = await asyncio.gather(
                play(self.ours, namespace, case.steps, **how),
                play(self.theirs, namespace, case.steps, **how),
            )
        return list(differences(case.steps, ours, theirs)), ours, list(theirs)

    async def judged(self, case: Case, *, twice: bool) -> tuple[list[Difference], list[Any]]:
        """The differences; `twice`: those that are there at a second look, too."""
        found, _, theirs = await self.compared(case)
        if found and twice:
            again, _, theirs = await self.compared(case, quiet_s=PATIENT_S)
            seen = {each.signature for each in again}
            found = [each for each in found if each.signature in seen]
        return found, theirs


async def run(pair: Pair, cases: Sequence[Case], options: argparse.Namespace) -> int:
    """The number of sequences that were compared."""
    ends = time.monotonic() + options.minutes * 60
    waiting, done = list(reversed(cases)), [0]
    record = open(options.record, "a") if options.record else None  # noqa: ASYNC230, SIM115

    async def work() -> None:
        while waiting and time.monotonic() < ends:
            case = waiting.pop()
            found, theirs = await pair.judged(case, twice=record is None)
            done[0] += 1
            if record is not None:
                kept = Case(case.name, case.steps, theirs)
                record.write(json.dumps(kept.to_json()) + "\n")
            if found:
                pair.found.append((case, found))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(options.at_once):
                group.create_task(work())
    finally:
        if record is not None:
            record.close()
    return done[0]


async def report(pair: Pair, options: argparse.Namespace) -> None:
    """The most frequent kinds of differences, each with its shortest sequence."""
    kinds: Counter[str] = Counter()
    example: dict[str, tuple[Case, Difference]] = {}
    for case, found in pair.found:
        for signature, each in {each.signature: each for each in found}.items():
            kinds[signature] += 1
            known = example.get(signature)
            if known is None or len(case.steps) < len(known[0].steps):
                example[signature] = (case, each)
    for number, (signature, count) in enumerate(kinds.most_common(options.show)):
        if options.terse:
            print(f"{count} x {example[signature][0].name} {signature}")
            continue
        case, difference = example[signature]
        print(f"\n== {count} x {signature}\n   {case.name} at {difference}\n   {difference.step}")
        if number < options.shrink and pair.theirs is not None:

            async def fails(
                steps: Sequence[Step], name: str = case.name, kind: str = signature
            ) -> bool:
                found, _, _ = await pair.compared(Case(name, steps))
                return any(each.signature == kind for each in found)

            steps = await shrunk(case.steps, fails)
            _, _, theirs = await pair.compared(Case(case.name, steps))
            print(json.dumps(Case(case.name, steps, theirs).to_json()))


@contextlib.asynccontextmanager
async def both(folder: Path, options: argparse.Namespace) -> AsyncIterator[Pair]:
    async with contextlib.AsyncExitStack() as stack:
        ours: Asked
        if options.process:
            server = stack.enter_context(api_process.running(folder / "mizzen"))
            ours = OverHttps(server.url, server.home.pki / "ca.crt", server.tokens["admin"])
            stack.callback(ours.close)
        else:
            ours = await stack.enter_async_context(in_process(folder / "mizzen"))
        theirs = None
        if not options.recorded:
            (folder / "kubernetes").mkdir()
            cluster = stack.enter_context(
                real_cluster(folder / "kubernetes", gates=(), runtime_config=())
            )
            theirs = OverHttps(cluster.url, cluster.authority, cluster.tokens[ADMIN])
            stack.callback(theirs.close)
            await set_up(theirs)
        await set_up(ours)
        yield Pair(ours, theirs, f"fz{options.seed}-")


async def main(options: argparse.Namespace) -> int:
    chosen = options.areas.split(",") if options.areas else list(generators())
    if options.recorded or options.replay:
        text = Path(options.recorded or options.replay).read_text()
        cases = [Case.of_json(json.loads(line)) for line in text.splitlines() if line.strip()]
        cases = [each for each in cases if not options.areas or each.name.split("-")[0] in chosen]
        if options.only:
            cases = [each for each in cases if each.name == options.only]
    else:
        cases = [case_of(options.seed, n, chosen) for n in range(options.sequences)]
    with tempfile.TemporaryDirectory(prefix="mizzen-differential-") as folder:
        async with both(Path(folder), options) as pair:
            began = time.monotonic()
            count = await run(pair, cases, options)
            took = time.monotonic() - began
            await report(pair, options)
    steps = sum(len(case.steps) for case in cases[:count])
    print(
        f"\n{count} sequences ({steps} requests) of seed {options.seed} in {took:.0f} s: "
        f"{len(pair.found)} with differences that are not explained"
    )
    return 1 if pair.found else 0


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sequences", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--areas", default="", help="comma separated; all by default")
    parser.add_argument("--process", action="store_true", help="Mizzen as a process, over TLS")
    parser.add_argument("--replay", default="", help="a file of cases, one a line")
    parser.add_argument("--record", default="", help="append cases with upstream's answers")
    parser.add_argument("--recorded", default="", help="compare Mizzen alone with such a file")
    parser.add_argument("--only", default="", help="the one case of this name")
    parser.add_argument("--show", type=int, default=20, help="kinds of differences printed")
    parser.add_argument("--shrink", type=int, default=5, help="of them made short")
    parser.add_argument("--terse", action="store_true", help="a line for each kind")
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(parsed())))
