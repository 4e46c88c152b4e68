"""One real instance for all clients, and the page that says what each of them did with it."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.client_programs import GO_MODULES, NoClients, go_version, python_version
from support.instance import Instance

PAGE = "MIZZEN_CLIENTS_PAGE"  # the file to write the page to
_HEAD = """\
# Clients, unmodified

What each client does with an instance of Mizzen (`mizzen up`), as the last `make test-clients` found
it. A row is one test of `tests/clients`; none of the clients knows that it is not talking to
kube-apiserver.

| client | version | scenario | result |
|-|-|-|-|
"""
_numbers = itertools.count()


@dataclass(frozen=True)
class Row:
    client: str
    scenario: str
    result: str


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "client(name, scenario): one row of docs/clients.md")
    config.stash[_rows] = []


_rows = pytest.StashKey[list[Row]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    mark = item.get_closest_marker("client")
    if mark is not None and (report.when == "call" or not report.passed):
        row = Row(*mark.args, result="works" if report.passed else report.outcome)
        item.config.stash[_rows].append(row)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    page, rows = os.environ.get(PAGE), session.config.stash[_rows]
    if page and rows:
        rows.sort(key=lambda row: row.client)
        lines = (
            f"| {row.client} | {_version(row.client)} | {row.scenario} | {row.result} |\n"
            for row in rows
        )
        Path(page).write_text(_HEAD + "".join(lines))


def _version(client: str) -> str:
    try:
        if client == "kubectl":
            words = ["kubectl", "version", "--client", "-o", "json"]
            text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
            return re.findall(r'"gitVersion": "([^"]+)"', text)[0]
        return go_version(client) if client in GO_MODULES else python_version(client)
    except NoClients:
        return "?"


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """A whole instance, with its node."""
    assert shutil.which("kubectl"), "these tests need kubectl (v1.32 or newer) on PATH"
    made = Instance(tmp_path_factory.mktemp("clients") / "home")
    made.ok("up", "--detach")
    try:
        made.until(lambda: "True" in made.kubectl("get", "nodes", "-o", _READY))
        yield made
    finally:
        made.run("down")


_READY = 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}'


@pytest.fixture
def namespace(instance: Instance) -> Iterator[str]:
    """A namespace for one test, with its default ServiceAccount."""
    name = f"clients-{next(_numbers)}"
    instance.kubectl("create", "namespace", name)
    instance.kubectl("wait", "--for=create", "sa/default", "-n", name, "--timeout=30s")
    yield name
    instance.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def widgets(instance: Instance) -> Instance:
    """The instance, with a custom kind."""
    instance.kubectl("apply", "-f", str(Path(__file__).parent / "widgets.yaml"))
    name = "crd/widgets.clients.example.com"
    instance.kubectl("wait", "--for=condition=Established", name, "--timeout=30s")
    return instance
