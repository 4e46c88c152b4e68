"""Kubernetes' own conformance program against an instance of Mizzen.

    python tests/conformance/run.py [--focus TEXT ...] [--area apimachinery ...] [--page FILE]
    python tests/conformance/run.py --reports FOLDER ... --page FILE   # of runs that were

Builds upstream's `test/e2e` with Go (minutes, once), starts an instance in a folder of its own with
nodes that pretend (`hollow_nodes.py`), runs the specs marked Conformance, several at once, and
prints which passed, failed, and cannot apply, the last with the reason that `not_applicable.toml`
gives. Specs whose pods must really run, such as those of webhooks, which serve from a pod, fail on
these nodes and pass with `--kubeconfig` of a cluster that has a kubelet (docs/kubelet-node.md);
`--skip` leaves them out. Exit status 1: a spec failed.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import yaml

from support.instance import Instance

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAM = ROOT / ".peers" / "bin" / "e2e.test"
REASONS = HERE / "not_applicable.toml"
AT_ONCE = 4
BATCH = 8  # specs that share a process
HOLLOW_NODES = 3
SPEC_S_MAX = 420  # some wait for five minutes before they give up


@dataclass(frozen=True)
class Spec:
    """One spec of upstream's list: its whole name, and the file below test/e2e that has it."""

    name: str
    file: str

    @property
    def area(self) -> str:
        """The first folder, such as apimachinery; `common/node` stays whole."""
        parts = self.file.removeprefix("test/e2e/").split("/")
        return "/".join(parts[:2]) if parts[0] == "common" else parts[0]

    @property
    def is_serial(self) -> bool:
        return "[Serial]" in self.name or "[Disruptive]" in self.name


@dataclass(frozen=True)
class Result:
    """What became of a spec: passed, failed, skipped (by upstream) or not run."""

    outcome: str
    message: str = ""
    seconds: float = 0.0


def build() -> Path:
    """The program, built where it is missing or older than its versions. Errors: SystemExit."""
    stamp = PROGRAM.with_suffix(".sum")
    pinned = (HERE / "program" / "go.sum").read_bytes()
    if PROGRAM.exists() and stamp.exists() and stamp.read_bytes() == pinned:
        return PROGRAM
    go = shutil.which("go")
    if go is None:
        raise SystemExit("the conformance program is built from source and needs Go 1.26 on PATH")
    version = re.search(r"k8s\.io/kubernetes (v\S+)", (HERE / "program" / "go.mod").read_text())
    assert version is not None
    flags = f"-s -w -X k8s.io/component-base/version.gitVersion={version[1]}"
    PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    print("building the conformance program (minutes, once) ...", file=sys.stderr, flush=True)
    command = [go, "test", "-c", "-vet=off", "-trimpath", "-ldflags", flags, "-o", str(PROGRAM)]
    done = subprocess.run([*command, "k8s.io/kubernetes/test/e2e"], cwd=HERE / "program")
    if done.returncode:
        raise SystemExit(f"`{' '.join(command)}` failed; its output is above")
    stamp.write_bytes(pinned)
    return PROGRAM


def all_specs(program: Path) -> list[Spec]:
    """Upstream's own list of the specs marked Conformance."""
    listed = subprocess.run([program, "--list-conformance-tests"], capture_output=True, check=True)
    specs = [Spec(each["codename"], each["file"]) for each in yaml.safe_load(listed.stdout)]
    return sorted(specs, key=lambda spec: (spec.area, spec.name))


def chosen(
    specs: Sequence[Spec], areas: Sequence[str], texts: Sequence[str], without: Sequence[str]
) -> list[Spec]:
    """The specs of these areas whose name has one of these texts; none named means all."""
    found = [s for s in specs if not areas or s.area in areas]
    found = [s for s in found if not texts or any(text in s.name for text in texts)]
    return [s for s in found if not any(text in s.name for text in without)]


def run_specs(program: Path, kubeconfig: Path, specs: Sequence[Spec], folder: Path) -> None:
    """Runs specs one after the other in one process, whose start costs seconds of CPU; the report
    is `junit_01.xml` in the folder, what it says `output.log`."""
    folder.mkdir(parents=True, exist_ok=True)
    limit_s = SPEC_S_MAX * len(specs)
    focus = "|".join(re.escape(spec.name) for spec in specs)
    command = [
        str(program),
        f"--kubeconfig={kubeconfig}",
        "--provider=skeleton",
        f"--ginkgo.focus={focus}",
        "--ginkgo.no-color",
        f"--ginkgo.timeout={limit_s}s",
        "--allowed-not-ready-nodes=-1",
        "--minStartupPods=0",
        "--disable-log-dump",
        f"--num-nodes={HOLLOW_NODES}",
        f"--report-dir={folder}",
        f"--kubectl-path={shutil.which('kubectl') or 'kubectl'}",
    ]
    with (folder / "output.log").open("wb") as log, contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, timeout=limit_s + SPEC_S_MAX)


def results_in(folder: Path) -> dict[str, Result]:
    """The results of the reports in a folder, by the spec's name."""
    found: dict[str, Result] = {}
    for report in folder.glob("junit_*.xml"):
        for case in ElementTree.parse(report).getroot().iter("testcase"):
            name = case.get("name", "").removeprefix("[It] ").strip()
            name = re.sub(r"(\[Conformance\]) .*$", r"\1", name)  # labels follow the name
            seconds = float(case.get("time", 0))
            failure = case.find("failure")
            failure = failure if failure is not None else case.find("error")
            if failure is not None:
                text = (failure.get("message") or failure.text or "").strip()
                found[name] = Result("failed", text, seconds)
            elif case.find("skipped") is None:
                found[name] = Result("passed", "", seconds)
            elif case.get("status") == "skipped" and (case.find("skipped").get("message") or ""):  # pyright: ignore[reportOptionalMemberAccess]
                message = case.find("skipped").get("message") or ""  # pyright: ignore[reportOptionalMemberAccess]
                if message != "skipped":
                    found[name] = Result("skipped", message, seconds)
    return found


def _last_words(folder: Path) -> str:
    text = (folder / "output.log").read_text(errors="replace")
    failed = re.search(r"\[FAILED\] (?!\[|in )(.*)", text)
    return failed[1] if failed else f"the program ended early, see {folder}"


def run_all(
    program: Path, kubeconfig: Path, specs: Sequence[Spec], folder: Path, batch: int
) -> dict[str, Result]:
    """Runs the specs in several processes at once, `batch` of them in each, but for the serial ones;
    says how far it is. What a process that ended early has left out is run alone."""
    results: dict[str, Result] = {}
    lock = threading.Lock()
    began = time.monotonic()

    def some(number: int, batch: Sequence[Spec]) -> None:
        place = folder / f"{number:03}"
        run_specs(program, kubeconfig, batch, place)
        found = results_in(place)
        lost = [spec for spec in batch if spec.name not in found]
        if lost and len(batch) > 1:
            for index, spec in enumerate(lost):
                some(1000 * (number + 1) + index, [spec])
        with lock:
            for spec in batch:
                if spec.name in results:
                    continue
                result = found.get(spec.name) or Result("failed", _last_words(place))
                results[spec.name] = result
                counts = Counter(each.outcome for each in results.values())
                told = ", ".join(f"{n} {what}" for what, n in sorted(counts.items()))
                print(
                    f"{len(results)} of {len(specs)} in {time.monotonic() - began:.0f} s ({told}): "
                    f"{result.outcome} {spec.name.removesuffix(' [Conformance]')}",
                    flush=True,
                )

    together = [spec for spec in specs if not spec.is_serial]
    batches = [together[at : at + batch] for at in range(0, len(together), batch)]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(some, range(len(batches)), batches))
    alone = [spec for spec in specs if spec.is_serial]
    for number, at in enumerate(range(0, len(alone), batch), len(batches)):
        some(number, alone[at : at + batch])
    return results


@contextlib.contextmanager
def instance(folder: Path) -> Generator[Path]:
    """An instance whose own node takes no pods, with nodes that pretend; its kubeconfig."""
    mizzen = Instance(folder / "home")
    mizzen.ok("up", "--detach")
    config = mizzen.home / "config" / "kubeconfig"
    script = str(HERE / "hollow_nodes.py")
    hollow = subprocess.Popen([sys.executable, script, str(config), "--nodes", str(HOLLOW_NODES)])
    try:
        for line in mizzen.kubectl("get", "nodes", "-o", "name").split():
            if "hollow" not in line:
                # DaemonSets' pods tolerate a node that is cordoned, and are waited for.
                name = line.removeprefix("node/")
                mizzen.kubectl("taint", "node", name, "mizzen.dev/processes=:NoExecute")
        yield config
    finally:
        hollow.terminate()
        hollow.wait()
        mizzen.run("down")


def page(specs: Sequence[Spec], results: dict[str, Result], reasons: dict[str, str]) -> str:
    """The list for docs/: each spec, what became of it, and why."""
    counts = Counter(outcome_of(spec, results, reasons) for spec in specs)
    lines = [
        "# Kubernetes conformance",
        "",
        "Upstream's conformance program (`k8s.io/kubernetes/test/e2e`, specs marked Conformance),",
        "run by `make conformance`. Nodes pretend: specs whose pods must really run are not among them,",
        "and stand here as not run unless one with a real kubelet ran them. Each spec stands here as it was",
        "when it last ran.",
        "",
        ", ".join(f"{number} {what}" for what, number in sorted(counts.items())) + ".",
        "",
        "| area | spec | result | why |",
        "|---|---|---|---|",
    ]
    for spec in specs:
        outcome = outcome_of(spec, results, reasons)
        why = reasons.get(spec.name, "")
        if outcome in ("failed", "skipped"):
            why = results[spec.name].message
        elif outcome in ("passed", "not run"):
            why = ""
        why = " ".join(why.split())[:160].replace("|", "\\|")
        lines.append(
            f"| {spec.area} | {spec.name.removesuffix(' [Conformance]')} | {outcome} | {why} |"
        )
    return "\n".join(lines) + "\n"


def earlier_results(folders: Sequence[Path], specs: Sequence[Spec]) -> dict[str, Result]:
    """What `--folder`s of earlier runs say of these specs, the last first; not of interrupted ones."""
    names = {spec.name for spec in specs}
    found: dict[str, Result] = {}
    for folder in folders:
        for place in sorted((folder / "reports").iterdir()):
            for name, result in results_in(place).items():
                if name in names and "nterrupt" not in result.message:
                    found[name] = result
    return found


def told_in(path: Path, specs: Sequence[Spec]) -> dict[str, Result]:
    """The results that a page of an earlier run tells."""
    if not path.exists():
        return {}
    names = {spec.name.removesuffix(" [Conformance]"): spec.name for spec in specs}
    found: dict[str, Result] = {}
    for line in path.read_text().splitlines():
        cells = [cell.replace("\\|", "|") for cell in re.split(r"(?<!\\) \| ", line.strip("| "))]
        if len(cells) >= 3 and cells[1] in names and cells[2] in ("passed", "failed", "skipped"):
            found[names[cells[1]]] = Result(cells[2], cells[3].strip() if len(cells) > 3 else "")
    return found


def outcome_of(spec: Spec, results: dict[str, Result], reasons: dict[str, str]) -> str:
    """passed, failed, not applicable, skipped or not run."""
    outcome = results[spec.name].outcome if spec.name in results else "not run"
    return "not applicable" if outcome != "passed" and spec.name in reasons else outcome


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--focus", action="append", default=[], help="text in the spec's name")
    parser.add_argument("--skip", action="append", default=[], help="text in the spec's name")
    parser.add_argument("--area", action="append", default=[], help="such as apimachinery")
    parser.add_argument("--list", action="store_true", help="print the specs and end")
    parser.add_argument("--kubeconfig", type=Path, help="of a running cluster, not a new instance")
    parser.add_argument("--page", type=Path, help="write the list here, as Markdown")
    parser.add_argument(
        "--reports", type=Path, action="append", default=[], metavar="FOLDER",
        help="of an earlier run: run nothing, take its results",
    )  # fmt: skip
    parser.add_argument("--batch", type=int, default=BATCH, help="specs in one process")
    parser.add_argument("--folder", type=Path, help="keep reports and logs here")
    arguments = parser.parse_args()
    program = build()
    specs = all_specs(program)
    wanted = chosen(specs, arguments.area, arguments.focus, arguments.skip)
    if arguments.list:
        for spec in wanted:
            print(f"{spec.area}\t{spec.name}")
        return 0
    reasons = tomllib.loads(REASONS.read_text()) if REASONS.exists() else {}
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="mizzen-conformance-"))
    if arguments.reports:
        results = earlier_results(arguments.reports, wanted)
        wanted = [spec for spec in wanted if spec.name in results]
    else:
        with contextlib.ExitStack() as stack:
            kubeconfig = arguments.kubeconfig or stack.enter_context(instance(folder))
            results = run_all(program, kubeconfig, wanted, folder / "reports", arguments.batch)
    for spec in wanted:
        result = results[spec.name]
        if result.outcome != "passed":
            print(f"{result.outcome}: {spec.name}\n    {' '.join(result.message.split())[:300]}")
    if arguments.page:
        told = told_in(arguments.page, specs)  # of the specs that this run left out
        arguments.page.write_text(page(specs, told | results, reasons))
    print(", ".join(f"{n} {what}" for what, n in sorted(
        Counter(outcome_of(s, results, reasons) for s in wanted).items())))  # fmt: skip
    print(f"reports: {folder}")
    return 0 if all(outcome_of(s, results, reasons) != "failed" for s in wanted) else 1


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
