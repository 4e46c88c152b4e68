"""What a role says when it is started with a kubeconfig that does not lead anywhere."""

import subprocess
import sys

import pytest


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
