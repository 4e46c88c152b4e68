"""A role that is started with nothing that leads to a cluster ends with one line."""

import os
import subprocess
import sys

import pytest

from mizzen.compose import __main__ as main_module


@pytest.mark.parametrize("content", [None, "[", "kind: Config"])
def test_a_kubeconfig_that_means_nothing_is_one_line(tmp_path, content):
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    command = [sys.executable, "-m", "mizzen.compose", "scheduler", "--kubeconfig", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("mizzen: ") and str(path) in done.stderr
    assert "Traceback" not in done.stderr


def test_outside_of_a_pod_there_is_no_cluster_to_be_in():
    command = [sys.executable, "-m", "mizzen.compose", "scheduler", "--in-cluster"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={})
    assert done.returncode == 1
    assert "in no pod of a cluster" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--kubeconfig", "x", "--metrics-bind-address", "8443"], "is no ADDRESS:PORT"),
        (["--home", "x", "--metrics-bind-address", ":8443"], "goes with --kubeconfig"),
    ],
)
def test_an_address_for_metrics_that_means_nothing_is_one_line(flags, said):
    command = [sys.executable, "-m", "mizzen.compose", "scheduler", *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert said in done.stderr and "Traceback" not in done.stderr


def test_a_role_logs_in_the_form_it_is_told(tmp_path, monkeypatch):
    """Even where the environment says otherwise: the flag is nearer."""
    seen = []
    monkeypatch.setenv("MIZZEN_LOG_FORMAT", "json")
    monkeypatch.setattr(sys, "argv", ["compose", "node", "--log-format", "text"])
    monkeypatch.setattr(main_module, "_become", lambda _: seen.append(dict(os.environ)))
    main_module.main()
    assert seen[0]["MIZZEN_LOG_FORMAT"] == "text"
