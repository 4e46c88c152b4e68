import os
import subprocess
import sys
from pathlib import Path

import pytest

from mizzen.host.home import BadHome, Home
from mizzen.host.private import NotOurs


def test_one_folder_holds_everything_when_home_is_given(tmp_path: Path) -> None:
    home = Home.locate(str(tmp_path), {"MIZZEN_HOME": "/elsewhere", "HOME": "/nobody"})
    assert home.root == tmp_path
    assert all(p.is_relative_to(tmp_path) for p in (home.config, home.state, home.kubeconfig))
    assert home.arguments() == ["--home", str(tmp_path)]


def test_environment_variable_comes_before_xdg() -> None:
    assert Home.locate(None, {"MIZZEN_HOME": "/m", "HOME": "/h"}).state == Path("/m/state")


def test_xdg_folders_and_their_defaults() -> None:
    env = {"HOME": "/h", "XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "relative"}
    home = Home.locate(None, env)
    assert home.kubeconfig == Path("/c/mizzen/kubeconfig")
    assert home.state == Path("/h/.local/state/mizzen")
    assert home.arguments() == []


def test_instances_do_not_share_memory_or_addresses(tmp_path: Path) -> None:
    one, two = (Home.locate(str(tmp_path / name), {}) for name in ("one", "two"))
    assert one.shm != two.shm
    assert all(64 <= home.pod_network <= 254 for home in (one, two))
    assert one.pod_network == Home.locate(str(tmp_path / "one"), {}).pod_network


def test_folders_are_for_the_owner_alone(tmp_path: Path) -> None:
    home = Home.locate(str(tmp_path / "h"), {})
    home.make()
    home.make()
    assert home.pki.stat().st_mode & 0o777 == 0o700


def test_shared_memory_has_a_name_that_nobody_can_guess(tmp_path: Path) -> None:
    """Whoever makes folders under every name that follows from user and path finds none of ours."""
    one, two = (Home.locate(str(tmp_path / name), {}) for name in ("one", "two"))
    one.make()
    two.make()
    shm = one.make_shm()
    try:
        assert shm == one.shm == one.make_shm() and shm.parent == Path("/dev/shm")
        assert shm.stat().st_mode & 0o777 == 0o700
        other = two.make_shm()
        assert other.name.rsplit("-", 1)[1] != shm.name.rsplit("-", 1)[1]
        other.rmdir()
        shm.rmdir()
        shm.symlink_to(tmp_path)  # taken by another while ours was away
        fresh = one.make_shm()
        assert fresh != shm and fresh.is_dir() and not fresh.is_symlink()
        fresh.rmdir()
    finally:
        shm.unlink()


@pytest.mark.parametrize("umask", [0, 0o777])
def test_no_umask_opens_or_closes_the_folders(tmp_path: Path, umask: int) -> None:
    home = Home.locate(str(tmp_path / "h"), {})
    before = os.umask(umask)
    try:
        home.make()
    finally:
        os.umask(before)
    assert {p.stat().st_mode & 0o777 for p in (home.root, home.state, home.store)} == {0o700}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to make folders of another user")
def test_a_strangers_state_is_refused_by_name(tmp_path: Path) -> None:
    home = Home.locate(str(tmp_path / "h"), {})
    home.state.mkdir(parents=True)
    os.chown(home.state, 12345, 12345)
    with pytest.raises(NotOurs, match="belongs to user 12345") as refused:
        home.make()
    assert refused.value.filename == str(home.state)


def test_a_place_that_the_user_chose_by_a_link_is_taken(tmp_path: Path) -> None:
    (tmp_path / "large").mkdir()
    (tmp_path / "h").symlink_to(tmp_path / "large")
    Home.locate(str(tmp_path / "h"), {}).make()
    assert (tmp_path / "large" / "state" / "store").is_dir()


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become somebody else")
def test_a_user_whom_the_machine_does_not_know_is_told_to_choose_a_home() -> None:
    program = (
        "import os, pwd; from mizzen.host.home import *; del os.environ['HOME']; os.setuid(12345)\n"
        "try: Home.locate(None, {})\n"
        "except BadHome as error: print(error)\n"
        "print(Home.locate('/h', {}).root)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    said, root = done.stdout.splitlines()
    assert "choose one with --home or $MIZZEN_HOME" in said and root == "/h"


@pytest.mark.parametrize("env", [{"MIZZEN_HOME": "/tmp/a\udcff"}, {"HOME": "/tmp/a\udcff"}])
def test_a_path_that_is_no_text_is_refused(env: dict[str, str]) -> None:
    with pytest.raises(BadHome, match="is not UTF-8: choose another"):
        Home.locate(None, env)
