"""The sockets of replicas: which pods get one, where, and how its health is asked."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

from mizzen.base.names import ENGINE_PORT, IMAGE_ENGINE
from mizzen.base.objects import Obj, uid_of
from mizzen.base.reading import entries, part
from mizzen.base.serving import SOCKET_VARIABLE, socket_name
from mizzen.host.sockets import SocketFolder


class ServingSockets:
    """One folder for the replicas of this node."""

    def __init__(self, folder: Path) -> None:
        self._sockets = SocketFolder(folder)

    def variables(self, pod: Obj) -> dict[str, str]:
        """What tells a replica where to listen; nothing for other pods."""
        if not serves(pod):
            return {}
        return {SOCKET_VARIABLE: str(self._sockets.folder / socket_name(uid_of(pod)))}

    def of_probe(self, pod: Obj, spec: Obj) -> str:
        """The socket that a probe must ask; "" for every probe but those of a replica's API."""
        action = part(spec, "httpGet")
        if not serves(pod) or action.get("host") or action.get("port") != ENGINE_PORT:
            return ""
        return self._sockets.path(socket_name(uid_of(pod)))

    def remove(self, uid: str) -> None:
        """The pod is gone."""
        self._sockets.remove(socket_name(uid))

    def sweep(self, uids: Container[str]) -> None:
        """Removes the sockets of all pods but these."""
        for path in self._sockets.folder.glob("*.sock"):
            if path.stem not in uids:
                self._sockets.remove(path.name)


def serves(pod: Obj) -> bool:
    """Whether a pod runs the built-in engine."""
    return any(
        str(container.get("image") or "").removesuffix(":latest") == IMAGE_ENGINE
        and not container.get("command")
        for container in entries(pod, "spec", "containers")
    )
