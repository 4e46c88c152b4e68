from __future__ import annotations

import pytest

from mizzen.base.engines.openvino_genai import PROFILE
from mizzen.gateway.core.engine_metrics import EngineMetrics, read_metrics

PAGE = """# HELP vllm:num_requests_running Requests in the batch.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{model_name="a } b"} 3.0
vllm:num_requests_waiting{model_name="tiny"} 2
vllm:num_requests_waiting_by_reason{model_name="tiny"} 9
vllm:kv_cache_usage_perc 2.5e-1 1700000000000
"""


def test_a_page_is_read_under_the_names_of_the_profile() -> None:
    assert read_metrics(PAGE, PROFILE.metrics, 7) == EngineMetrics(2, 3, 0.25, 7)


@pytest.mark.parametrize(
    "page",
    [
        "",
        PAGE.replace("num_requests_waiting{", "waiting{"),
        PAGE.replace("2.5e-1", "NaN"),
        PAGE.replace("} 3.0", "}"),
        PAGE.replace("} 3.0", "} many"),
        "\0" * 1000,
    ],
)
def test_what_lacks_one_or_says_no_number_is_none(page: str) -> None:
    assert read_metrics(page, PROFILE.metrics, 7) is None
