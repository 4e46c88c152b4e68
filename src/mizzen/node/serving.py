"""The sockets of replicas: which pods get one, where, and how its health is asked."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

from mizzen.base.engine import EngineProfile, engine_of_image
from mizzen.base.objects import Obj, uid_of
from mizzen.base.reading import entries, part
from mizzen.base.serving import SOCKET_VARIABLE, socket_name
from mizzen.host.sockets import SocketFolder


class ServingSockets:
    """One folder for the replicas of this node."""

    def __init__(self, folder: Path) -> None:
        self._sockets = SocketFolder(folder)

    def variables(self, pod: Obj) -> dict[str, str]:
        """The variable that tells a replica where to listen; none for other pods."""
        if engine_on_socket(pod) is None:
            return {}
        return {SOCKET_VARIABLE: str(self._sockets.folder / socket_name(uid_of(pod)))}

    def of_probe(self, pod: Obj, spec: Obj) -> str:
        """The socket that a probe must ask; "" for every probe but those of a replica's API."""
        action = part(spec, "httpGet")
        engine = engine_on_socket(pod)
        if engine is None or action.get("host") or action.get("port") != engine.port:
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


def engine_on_socket(pod: Obj) -> EngineProfile | None:
    """The engine of a pod that answers prompts on a socket; None for every other pod."""
    for container in entries(pod, "spec", "containers"):
        engine = engine_of_image(str(container.get("image") or ""))
        if engine is not None and engine.is_on_socket and not container.get("command"):
            return engine
    return None
