"""What every role's process does around its coroutine, in a process of its own."""

import os
import subprocess
import sys

_ROLE = """
import asyncio, sys, time
from mizzen.compose import shell
shell.BEAT_S = 0.05

async def main(on_ready):
    on_ready.syncing(2000)
    await asyncio.sleep(0.2)
    on_ready()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    time.sleep(600)

shell.run_role("test", main, int(sys.argv[1]))
"""


def test_a_role_says_ready_first_and_beats_from_its_loop_for_as_long_as_that_turns() -> None:
    reader, writer = os.pipe()
    command = [sys.executable, "-c", _ROLE, str(writer)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(writer,)) as role:
        os.close(writer)
        with os.fdopen(reader, "rb", buffering=0) as pipe:
            said = b""
            while said.count(b".") < 3:
                said += pipe.read(64) or b"!"
                assert b"!" not in said, "the role ended"
            assert said.startswith(b"syncing 2000\nready\n.")
            assert role.stdin is not None
            role.stdin.write(b"block\n")
            role.stdin.flush()
            os.set_blocking(reader, False)
            # From some moment on nothing comes any more: the loop is held up.
            silent = 0
            while silent < 5:
                role_is_silent = pipe.read(64) is None
                silent = silent + 1 if role_is_silent else 0
                _wait(0.1)
        role.kill()


def _wait(seconds: float) -> None:
    """Time must pass: the absence of a beat is what is looked for."""
    subprocess.run(["sleep", str(seconds)], check=True)
