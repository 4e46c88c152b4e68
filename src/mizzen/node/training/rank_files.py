"""Rank files of pods outside gangs: there their programs record what they use devices for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mizzen.host import private
from mizzen.node.training.segments import RankFile

PODS_FOLDER = ".pods"  # no namespace begins with a dot


class PodRankFiles:
    """By uid of the pod; a file is made when it is first asked for."""

    def __init__(self, shm: Path) -> None:
        self._shm = shm
        self._files: dict[str, RankFile] = {}

    def file(self, uid: str) -> RankFile:
        """Errors: OSError."""
        if uid not in self._files:
            self._files[uid] = RankFile(self._shm / PODS_FOLDER / uid / "rank-0")
        return self._files[uid]

    def prepare(self, uid: str) -> None:
        """Before a process of the pod starts on its file, where it has one."""
        if uid in self._files:
            self._files[uid].prepare(0)

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        file = self._files.pop(uid, None)
        if file is not None:
            file.close()
            private.remove_tree(self._shm, PODS_FOLDER, uid)

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()

    def remove_all(self) -> None:
        """After the last process ended and its records were read."""
        private.remove_tree(self._shm, PODS_FOLDER)


def folders_of(uids: Iterable[str]) -> set[str]:
    """The folders of these pods' files in shared memory."""
    return {f"{PODS_FOLDER}/{uid}" for uid in uids}
