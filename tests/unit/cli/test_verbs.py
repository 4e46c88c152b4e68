"""What holds for every verb there is or will be."""

import subprocess
import sys

import pytest

from mizzen.cli import main, verb


@pytest.mark.parametrize("name", verb.names())
def test_every_verb_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main([name, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "example:" in text and f"mizzen {name}" in text.split("example:")[1]


def test_the_command_starts_without_heavy_modules() -> None:
    code = (
        "import sys; from mizzen.cli.main import main; main(['version']); "
        "print(sorted({'asyncio', 'aiohttp', 'ssl', 'yaml', 'cryptography'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
