"""Folders of our own and files among others' files: every trap that may lie in their place."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import mizzen
from mizzen.host import private

SOURCES = Path(mizzen.__file__).parent.parent
STRANGER = 12345


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("umask", [0, 0o022, 0o077, 0o177, 0o777])
def test_folders_are_the_owners_alone_under_any_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        private.make_folder(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    assert [mode(tmp_path / "a"), mode(tmp_path / "a" / "b")] == [0o700, 0o700]


def test_a_folder_of_ours_that_others_may_enter_is_closed(tmp_path: Path, no_umask: None) -> None:
    (tmp_path / "a").mkdir(mode=0o777)
    private.make_folder(tmp_path / "a")
    assert mode(tmp_path / "a") == 0o700


@pytest.mark.parametrize("what", ["link", "file", "dangling"])
def test_what_is_no_folder_is_refused_by_name(tmp_path: Path, what: str) -> None:
    (tmp_path / "home").mkdir(mode=0o755)
    place = tmp_path / "place"
    if what == "file":
        place.touch()
    else:
        place.symlink_to(tmp_path / ("home" if what == "link" else "nowhere"))
    with pytest.raises(private.NotOurs, match="a link or a file lies where a folder should be"):
        private.make_folder(place)
    assert mode(tmp_path / "home") == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to make folders of another user")
def test_a_strangers_folder_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir(mode=0o777)
    os.chown(place, STRANGER, STRANGER)
    with pytest.raises(private.NotOurs, match=r"belongs to user 12345, not to \d+; move it away"):
        private.make_folder(place)


def test_a_folder_among_strangers_keeps_its_name_while_it_is_ours(tmp_path: Path) -> None:
    shared, record = tmp_path / "shared", tmp_path / "record"
    shared.mkdir(mode=0o777)
    first = private.unguessable_folder(record, shared, "mizzen-0-")
    assert first.parent == shared and mode(first) == 0o700
    assert private.unguessable_folder(record, shared, "mizzen-0-") == first
    first.rmdir()  # a reboot
    assert private.unguessable_folder(record, shared, "mizzen-0-") == first
    assert first.is_dir()
    assert private.unguessable_folder(record, shared, "mizzen-1-") != first, "a copied record"


def test_what_a_home_that_is_gone_left_goes_with_the_next(tmp_path: Path) -> None:
    shared, record = tmp_path / "shared", tmp_path / "record"
    shared.mkdir()
    left = private.unguessable_folder(record, shared, "mizzen-0-a-")
    (left / "staged").write_bytes(b"state")
    other = private.unguessable_folder(tmp_path / "other", shared, "mizzen-0-b-")
    (shared / "mizzen-0-a-link").symlink_to(tmp_path)
    record.unlink()
    assert private.unguessable_folder(record, shared, "mizzen-0-a-") != left
    assert not left.exists() and other.is_dir() and tmp_path.is_dir()


@pytest.mark.parametrize("what", ["link", "file"])
def test_whoever_takes_the_name_meanwhile_gets_nothing(tmp_path: Path, what: str) -> None:
    shared, record = tmp_path / "shared", tmp_path / "record"
    shared.mkdir()
    first = private.unguessable_folder(record, shared, "mizzen-0-")
    first.rmdir()
    first.symlink_to(tmp_path) if what == "link" else first.touch()
    second = private.unguessable_folder(record, shared, "mizzen-0-")
    assert second != first and second.is_dir() and not second.is_symlink()
    assert private.unguessable_folder(record, shared, "mizzen-0-") == second


def test_links_are_no_folders(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").touch()
    assert private.real_folders(tmp_path) == [tmp_path / "real"]
    assert private.real_folders(tmp_path / "nowhere") == []


@pytest.mark.parametrize("what", ["pipe", "link", "folder", "device", "nothing"])
def test_only_regular_files_are_opened_and_nobody_waits(tmp_path: Path, what: str) -> None:
    place = tmp_path / "place"
    if what == "pipe":
        os.mkfifo(place)
    elif what == "link":
        (tmp_path / "secret").write_text("secret")
        place.symlink_to(tmp_path / "secret")
    elif what == "folder":
        place.mkdir()
    elif what == "device":
        place = Path("/dev/zero")
    with pytest.raises(OSError):
        private.read_end(place, 10)
    if what in ("pipe", "link", "device"):
        with pytest.raises(OSError):
            private.open_file(place, os.O_WRONLY | os.O_CREAT)


def test_the_end_of_a_large_file_is_read_alone(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 1000 + b"end")
    assert private.read_end(tmp_path / "f", 5) == b"xxend"
    assert private.read_end(tmp_path / "f", 2000) == b"x" * 1000 + b"end"


def test_no_link_on_the_way_to_a_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "link").symlink_to(tmp_path / "a" / "b")
    os.close(private.open_folder(tmp_path, "a", "b"))
    with pytest.raises(OSError):
        private.open_folder(tmp_path, "a", "link")


@pytest.mark.parametrize("what", ["pipe", "link", "file"])
def test_a_file_is_replaced_whole_whatever_lies_at_the_temporary_name(
    tmp_path: Path, what: str
) -> None:
    victim, place = tmp_path / "victim", tmp_path / "f.tmp"
    victim.write_text("mine")
    if what == "pipe":
        os.mkfifo(place)
    elif what == "link":
        place.symlink_to(victim)
    else:
        place.write_text("of a writer that was killed")
    private.replace(tmp_path / "f", b"new")
    assert (tmp_path / "f").read_bytes() == b"new" and mode(tmp_path / "f") == 0o600
    assert victim.read_text() == "mine" and not place.exists()


def test_a_tree_is_removed_and_what_its_links_lead_to_stays(tmp_path: Path) -> None:
    (tmp_path / "victim" / "docs").mkdir(parents=True)
    (tmp_path / "root" / "a" / "deep").mkdir(parents=True)
    (tmp_path / "root" / "a" / "link").symlink_to(tmp_path / "victim")
    (tmp_path / "root" / "space").symlink_to(tmp_path / "victim")
    private.remove_tree(tmp_path / "root", "a")
    private.remove_tree(tmp_path / "root", "space", "docs")
    assert not (tmp_path / "root" / "a").exists() and (tmp_path / "victim" / "docs").is_dir()
    private.remove_tree(tmp_path / "root", "space")
    assert (
        not (tmp_path / "root" / "space").is_symlink() and (tmp_path / "victim" / "docs").is_dir()
    )
    os.mkfifo(tmp_path / "root" / "pipe")
    private.remove_tree(tmp_path / "root", "pipe")
    private.remove_tree(tmp_path / "root", "nowhere")
    assert list((tmp_path / "root").iterdir()) == []


def test_removing_a_tree_takes_any_depth_and_any_mode(tmp_path: Path) -> None:
    """As deep as no path and no stack reaches; with files, links out and folders without rights."""
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "kept").touch()
    (tmp_path / "root" / "work").mkdir(parents=True)
    script = (
        "import os\n"
        "for n in range(3000):\n"
        "    os.mkdir('d'); open('f', 'w').close(); os.symlink(os.environ['VICTIM'], 'l')\n"
        "    n % 500 or (os.mkdir('shut'), os.mkdir('shut/in'), os.chmod('shut', 0))\n"
        "    os.chdir('d')\n"
    )
    environment = {**os.environ, "VICTIM": str(tmp_path / "victim")}
    command = [sys.executable, "-c", script]
    subprocess.run(command, cwd=tmp_path / "root" / "work", env=environment, check=True)
    private.remove_tree(tmp_path / "root", "work")
    assert list((tmp_path / "root").iterdir()) == []
    assert (tmp_path / "victim" / "kept").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_removing_a_tree_gives_its_owner_the_rights_back(tmp_path: Path) -> None:
    """As Go's module cache and many a build leave their folders: nobody may write there."""
    root = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        (root / "work" / "cache" / "in").mkdir(parents=True)
        (root / "work" / "cache" / "in" / "f").touch()
        for path in (root, root / "work", root / "work" / "cache", root / "work" / "cache" / "in"):
            os.chown(path, STRANGER, STRANGER)
            path.chmod(0o700)
        (root / "work" / "cache" / "in").chmod(0o500)
        (root / "work" / "cache").chmod(0)
        script = (
            "import sys; from pathlib import Path; from mizzen.host import private; "
            "private.remove_tree(Path(sys.argv[1]), 'work')"
        )
        as_them = ["setpriv", "--reuid", str(STRANGER), "--regid", str(STRANGER), "--clear-groups"]
        command = [*as_them, sys.executable, "-c", script, str(root)]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(SOURCES)})
        assert list(root.iterdir()) == []
    finally:
        subprocess.run(["rm", "-rf", str(root)], check=True)
