import pytest

from mizzen import __version__
from mizzen.base import versions
from mizzen.base.versions import EffectiveVersion, NotEmulated, effective


def test_the_binary_is_the_newest_that_is_known():
    assert __version__.startswith(f"{versions.BINARY}.")
    assert list(versions.STORE_FORMATS)[-1] == versions.BINARY
    formats = list(versions.STORE_FORMATS.values())
    assert formats == sorted(formats)


def test_without_emulation_it_is_itself():
    version = effective("")
    assert version == effective(versions.BINARY) == EffectiveVersion()
    assert not version.is_emulated
    assert version.store_format == max(versions.STORE_FORMATS.values())
    assert version.min_compatibility == "0.2"


def test_the_minor_version_before_is_emulated():
    version = effective("0.1")
    assert version.is_emulated
    assert (version.store_format, version.min_compatibility) == (2, "0.1")


@pytest.mark.parametrize("asked", ["0.0", "0.3", "1.0", "0.1.0", "v0.1", "latest"])
def test_no_other_is(asked: str):
    with pytest.raises(NotEmulated, match=r"cannot be emulated by mizzen .*: choose 0\.1 or 0\.2$"):
        effective(asked)
