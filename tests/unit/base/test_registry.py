"""The registry finds what modules contribute, in name order, and hides no failure."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mizzen.base.registry import collect, named, names


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    root = tmp_path / "somepackage"
    (root / "inner").mkdir(parents=True)
    (root / "__init__.py").write_text("")
    (root / "inner" / "__init__.py").write_text("")
    (root / "b.py").write_text("THING = 2")
    (root / "a.py").write_text("THING = 1")
    (root / "helper.py").write_text("OTHER = 0")
    (root / "inner" / "c.py").write_text("THING = 3")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "somepackage"
    for name in [name for name in sys.modules if name.startswith("somepackage")]:
        del sys.modules[name]


def test_modules_are_found_in_name_order(package: str) -> None:
    found = collect(package, "THING")
    assert found == [("somepackage.a", 1), ("somepackage.b", 2), ("somepackage.inner.c", 3)]


def test_a_module_that_does_not_load_is_an_error(package: str, tmp_path: Path) -> None:
    (tmp_path / "somepackage" / "broken.py").write_text("import nothing_like_this")
    with pytest.raises(ImportError):
        collect(package, "THING")


def test_what_has_a_name_is_loaded_alone(package: str) -> None:
    assert named(package, "b", "THING") == 2
    assert "somepackage.a" not in sys.modules
    assert names(package) == ["a", "b", "helper", "inner"]
    with pytest.raises(KeyError):
        named(package, "nothing_like_this", "THING")
    with pytest.raises(AttributeError):
        named(package, "helper", "THING")


def test_another_distribution_offers_what_the_package_lacks(package: str, tmp_path: Path) -> None:
    info = tmp_path / "somethingelse-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: somethingelse\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[somepackage]\nd = somepackage.inner.c\n")
    assert named(package, "d", "THING") == 3
