"""The context of every verb: its arguments, the instance, and clients."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mizzen.base.errors import Unavailable
from mizzen.cli.exits import NOT_RUNNING, CliError
from mizzen.cli.output import visible

if TYPE_CHECKING:
    from mizzen.client.client import Client
    from mizzen.compose.state import InstanceState
    from mizzen.host.home import Home
_PATIENCE_S = 20.0  # a role that hangs is found, killed and up again by then


@dataclass(frozen=True, slots=True)
class Context:
    args: Namespace

    @property
    def home(self) -> Home:
        from mizzen.host.home import Home

        return Home.locate(self.args.home, os.environ)

    @property
    def namespace(self) -> str:
        return str(self.args.namespace)

    def running(self) -> InstanceState:
        """The running instance. Errors: CliError saying how to start it."""
        from mizzen.compose.state import running_instance

        home = self.home
        state = running_instance(home)
        if state is None:
            import shlex

            flag = f" --home {shlex.quote(str(home.root))}" if self.args.home else ""
            raise CliError(
                f"mizzen is not running (home {home.root}): start it with "
                f"`mizzen up --detach{flag}`",
                NOT_RUNNING,
            )
        return state

    def with_client(self, action: Callable[[Client], Coroutine[None, None, int]]) -> int:
        """Runs `action` with a connection to the running instance as its user.

        While its supervisor lives, an API server that is away is on its way back: it is waited
        for. Errors: CliError that says what became of the instance.
        """
        self.running()
        import asyncio

        from mizzen.client.client import Client
        from mizzen.client.transport import Patience

        patience = Patience(_PATIENCE_S, self._is_up)

        async def main() -> int:
            path = self.home.kubeconfig
            async with Client.from_kubeconfig(
                path, user_agent="mizzen-cli", patience=patience
            ) as client:
                return await action(client)

        try:
            return asyncio.run(main())
        except Unavailable as error:
            if not self._is_up():
                raise CliError(
                    "mizzen was stopped meanwhile; `mizzen up --detach` continues with all that "
                    "was there",
                    NOT_RUNNING,
                ) from error
            raise CliError(
                f"{error.message}; `mizzen status` shows whether it is being restarted", NOT_RUNNING
            ) from error

    def _is_up(self) -> bool:
        from mizzen.compose.state import running_instance

        state = running_instance(self.home)
        return state is not None and not state.is_stopping


def say(text: str = "") -> None:
    """A line of progress: for people, on standard error, so that data stays alone."""
    print("\n".join(visible(line) for line in text.split("\n")), file=sys.stderr, flush=True)
