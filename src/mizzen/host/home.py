"""The folders of one instance of Mizzen: XDG folders, or all under one `--home`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mizzen.base.serving import SERVING_DIR
from mizzen.host import private

_SHM = Path("/dev/shm")
_FIRST_POD_NETWORK = 64
_LAST_POD_NETWORK = 254


class BadHome(Exception):
    """The path of an instance is unknown or of no use; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Home:
    """All the places of one instance; nothing here creates them but `make`."""

    root: Path
    config: Path
    state: Path

    @classmethod
    def locate(cls, home: str | None, env: Mapping[str, str]) -> Home:
        """The instance that is meant: `--home`, else $MIZZEN_HOME, else the XDG folders.

        Relative XDG folders count as unset (XDG Base Directory Specification 0.8).
        Errors: BadHome.
        """
        if home == "":  # an unset variable of a script, say: no other instance is meant
            raise BadHome("--home '' is no folder: name one, or leave --home out")
        chosen = home or env.get("MIZZEN_HOME") or ""
        try:
            if chosen:
                root = Path(chosen).expanduser().absolute()
                return cls(_written(root), root / "config", root / "state")
            user = _written(Path(env.get("HOME") or Path.home()))
        except FileNotFoundError:
            raise BadHome(f"home {chosen!r} begins at the present folder, which is gone") from None
        except (RuntimeError, KeyError) as error:  # a user without a home folder
            raise BadHome(
                f"no home folder is known ({error}): choose one with --home or $MIZZEN_HOME"
            ) from None
        config = _xdg(env, "XDG_CONFIG_HOME", user / ".config") / "mizzen"
        state = _xdg(env, "XDG_STATE_HOME", user / ".local" / "state") / "mizzen"
        return cls(state, config, state)

    def arguments(self) -> list[str]:
        """The command-line arguments that make another process find this same instance."""
        return ["--home", str(self.root)] if self.config == self.root / "config" else []

    def make(self) -> None:
        """Creates the folders, for the owner's eyes only: they hold tokens and keys.

        A link to one of them is the user's own choice of a place; what it leads to is checked.
        Errors: private.NotOurs where one of them is somebody else's; OSError.
        """
        folders = (self.config, self.state, self.pki, self.logs, self.run, self.node)
        for folder in (*folders, self.store, self.checkpoints, self.outputs):
            private.make_folder(folder.resolve())

    @property
    def settings(self) -> Path:
        return self.config / "instance.json"

    @property
    def audit_policy(self) -> Path:
        """Says what the API server records of requests; without it nothing."""
        return self.config / "audit-policy.yaml"

    @property
    def kubeconfig(self) -> Path:
        return self.config / "kubeconfig"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def tokens(self) -> Path:
        return self.state / "tokens.json"

    @property
    def api_keys(self) -> Path:
        """Keys that OpenAI clients present to the gateway."""
        return self.state / "api-keys.json"

    @property
    def store(self) -> Path:
        return self.state / "store"

    @property
    def store_mark(self) -> Path:
        """Lies here, outside of its folder, once there has been a store."""
        return self.state / "store.begun"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def node(self) -> Path:
        return self.state / "node"

    @property
    def serving(self) -> Path:
        """The sockets on which replicas answer the gateway."""
        return self.node / SERVING_DIR

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def monitors(self) -> Path:
        """The sockets on which roles tell the API server their metrics."""
        return self.run / "monitors"

    @property
    def certificate_sockets(self) -> Path:
        """Where the API server's port for certificates reaches its HTTP server."""
        return self.run / "certificates"

    @property
    def checkpoints(self) -> Path:
        return self.state / "checkpoints"

    @property
    def outputs(self) -> Path:
        return self.state / "outputs"

    @property
    def instance(self) -> str:
        """Eight hex digits that tell the instances of one machine apart."""
        return self._digest()[:8]

    @property
    def shm(self) -> Path:
        """Shared memory of this instance, as `make_shm` made it; before that no folder at all.

        /dev/shm is every user's, so the name cannot be guessed: a link in `run` keeps it.
        """
        try:
            return self._shm_record.readlink()
        except OSError:
            return self._shm_record

    def make_shm(self) -> Path:
        """Makes the folder `shm` where it is missing or not ours. Errors: OSError."""
        base = _SHM if os.access(_SHM, os.W_OK | os.X_OK) else self.run
        prefix = f"mizzen-{os.getuid()}-{self.instance}-"
        return private.unguessable_folder(self._shm_record, base, prefix)

    @property
    def _shm_record(self) -> Path:
        return self.run / "shm"

    @property
    def pod_network(self) -> int:
        """b of the 127.b.0.0/16 that this instance's pods get their addresses from."""
        span = _LAST_POD_NETWORK - _FIRST_POD_NETWORK + 1
        return _FIRST_POD_NETWORK + int(self._digest()[8:16], 16) % span

    @property
    def seed(self) -> int:
        """A number that differs from home to home."""
        return int(self._digest()[16:24], 16)

    def _digest(self) -> str:
        return hashlib.sha256(os.fsencode(self.state)).hexdigest()


def _written(path: Path) -> Path:
    """Errors: BadHome for a path that no JSON can hold: programs get their paths in JSON."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise BadHome(
            f"home {os.fsencode(path)!r} is not UTF-8: choose another with --home or $MIZZEN_HOME"
        ) from None
    return path


def _xdg(env: Mapping[str, str], name: str, default: Path) -> Path:
    value = env.get(name) or ""
    return Path(value) if value.startswith("/") else default
