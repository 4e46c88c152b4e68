from pathlib import Path

from mizzen.host.home import Home


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
