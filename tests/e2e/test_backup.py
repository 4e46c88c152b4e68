"""A backup taken of a running instance, under load, becomes an instance elsewhere."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path

from support.instance import Instance


def test_a_backup_of_a_running_instance_is_an_instance_elsewhere(tmp_path: Path) -> None:
    first, second = Instance(tmp_path / "first"), Instance(tmp_path / "second")
    file = tmp_path / "backup.tar"
    try:
        first.ok("up", "--detach")
        first.kubectl("create", "configmap", "before", "--from-literal=k=v")
        ended = threading.Event()
        writing = threading.Thread(target=keep_writing, args=(first, ended))
        writing.start()
        try:
            said = first.ok("backup", str(file))
        finally:
            ended.set()
            writing.join()
        assert "is whole" in said and "keys and tokens" in said
        refused = first.run("restore", str(file))
        assert refused.returncode == 1 and "mizzen down" in refused.stderr
        second.ok("restore", str(file))
        second.ok("up", "--detach")
        found = json.loads(second.kubectl("get", "cm", "before", "-o", "json"))
        assert found["data"] == {"k": "v"}
        second.kubectl("create", "configmap", "after", "--from-literal=k=v")
        made = json.loads(second.kubectl("get", "cm", "after", "-o", "json"))
        listed = json.loads(first.kubectl("get", "--raw", "/api/v1/configmaps?limit=1"))
        newest = int(listed["metadata"]["resourceVersion"])
        assert int(made["metadata"]["resourceVersion"]) > newest
    finally:
        first.run("down")
        second.run("down")


def keep_writing(instance: Instance, ended: threading.Event) -> None:
    number = 0
    while not ended.is_set():
        number += 1
        config = str(instance.home / "config" / "kubeconfig")
        subprocess.run(
            ["kubectl", "--kubeconfig", config, "create", "configmap", f"w{number}"],
            capture_output=True, timeout=30, check=True,
        )  # fmt: skip
