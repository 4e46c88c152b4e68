from __future__ import annotations

import pytest

from mizzen.base.engine import engine_of_image, find_engine, find_engines


def test_the_default_is_built_in() -> None:
    assert find_engine("") is find_engine("openvino-genai")
    assert find_engine("").module == "mizzen.engine"


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(LookupError, match=r'no engine "vlm"; there are .*openvino-genai'):
        find_engine("vlm")


@pytest.mark.parametrize("profile", find_engines().values(), ids=lambda profile: profile.name)
def test_an_engine_is_known_by_its_image(profile) -> None:
    assert engine_of_image(profile.image) is profile
    assert engine_of_image(f"{profile.image}:latest") is profile
    assert engine_of_image(f"{profile.image}-2") is None
