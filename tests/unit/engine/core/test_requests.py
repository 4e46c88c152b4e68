from __future__ import annotations

from typing import Any

import pytest

from mizzen.base.openai import OpenAIError
from mizzen.engine.core.requests import Message, parse_chat, parse_completion

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
PLAIN: dict[str, Any] = {"model": "m", "prompt": "hi"}


def test_defaults() -> None:
    chat, plain = parse_chat(CHAT), parse_completion(PLAIN)
    assert chat.messages == (Message("user", "hi"),)
    assert chat.sampling.max_tokens is None
    assert plain.sampling.max_tokens == 16
    assert (plain.text, plain.stream, plain.sampling.temperature) == ("hi", False, 1.0)


def test_what_it_does_not_know_is_ignored() -> None:
    parse_chat({**CHAT, "user": "me", "store": True, "service_tier": "auto", "future": {"x": 1}})
    parse_completion({**PLAIN, "n": 1, "logprobs": None, "best_of": 1, "echo": False})


@pytest.mark.parametrize(
    "change",
    [{"logprobs": False, "top_logprobs": 0}, {"logit_bias": {}}, {"tools": []}, {"min_p": 0.0},
     {"tool_choice": "none"}, {"response_format": {"type": "text"}}, {"repetition_penalty": 1.0},
     {"modalities": ["text"]}, {"best_of": 1}, {"echo": False}, {"suffix": ""}, {"audio": None},
     {"prediction": {}}, {"metadata": {}}, {"parallel_tool_calls": True}],
)  # fmt: skip
def test_what_changes_nothing_is_taken(change: dict[str, Any]) -> None:
    parse_chat({**CHAT, **change})


def test_a_turn_as_clients_write_it_back() -> None:
    empty = {"refusal": None, "tool_calls": None, "function_call": None, "annotations": []}
    turn = {"role": "assistant", "content": "yes", **empty}
    asked = parse_chat({**CHAT, "messages": [{"role": "user", "content": "a"}, turn]})
    assert asked.messages[1] == Message("assistant", "yes")


def test_content_parts_and_token_prompts() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    chat = parse_chat({**CHAT, "messages": [{"role": "user", "content": parts}]})
    assert chat.messages[0].content == "ab"
    assert parse_completion({**PLAIN, "prompt": [1, 2]}).tokens == (1, 2)
    assert parse_completion({**PLAIN, "prompt": [[1, 2]]}).tokens == (1, 2)
    assert parse_completion({**PLAIN, "prompt": [7]}).tokens == (7,)
    assert parse_completion({**PLAIN, "prompt": ["one"]}).text == "one"


def test_the_newer_limit_wins() -> None:
    limits = {"max_tokens": 5, "max_completion_tokens": 7}
    assert parse_chat({**CHAT, **limits}).sampling.max_tokens == 7
    assert parse_completion({**PLAIN, **limits}).sampling.max_tokens == 7


def test_a_temperature_too_small_to_divide_by_is_none() -> None:
    for temperature in (1e-320, 1e-45, 1e-38, -0.0):
        assert parse_chat({**CHAT, "temperature": temperature}).sampling.temperature == 0.0
    assert parse_chat({**CHAT, "temperature": 0.01}).sampling.temperature == 0.01


@pytest.mark.parametrize(
    ("change", "param", "says"),
    [
        ({"n": 2}, "n", "send 2 requests"),
        ({"n": 0}, "n", "0 is below 1"),
        ({"logprobs": True}, "logprobs", "not supported"),
        ({"top_logprobs": 3}, "top_logprobs", "not supported"),
        ({"logit_bias": {"1": 2}}, "logit_bias", "not supported"),
        ({"min_p": 0.1}, "min_p", "not supported"),
        ({"guided_regex": "a"}, "guided_regex", "not supported"),
        ({"tool_choice": "required"}, "tool_choice", "not supported"),
        ({"functions": [{}]}, "functions", "not supported"),
        ({"modalities": ["text", "audio"]}, "modalities", "not supported"),
        ({"reasoning_effort": "high"}, "reasoning_effort", "'high' is not supported"),
        ({"web_search_options": {}}, "web_search_options", "not supported"),
        ({"skip_special_tokens": False}, "skip_special_tokens", "not supported"),
        ({"chat_template": "x"}, "chat_template", "not supported"),
        ({"bad_words": ["a"]}, "bad_words", "not supported"),
        ({"echo": True}, "echo", "not supported"),
        ({"echo": 0}, "echo", "0 is not supported"),
        ({"best_of": True}, "best_of", "True is not supported"),
        (
            {"messages": [{"role": "assistant", "audio": {"id": "x"}}]},
            "messages[0].audio",
            "cannot show audio",
        ),
        (
            {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}]},
            "messages[0].tool_calls",
            "cannot show tool calls",
        ),
        ({"stop": [str(i) for i in range(10_000)]}, "stop", "10000 sequences, at most 4"),
        ({"stop": [""]}, "stop", "none of them empty"),
        ({"stop": ["x" * 2000]}, "stop", "2000 bytes, at most 1024"),
        ({"temperature": 3}, "temperature", "outside 0 to 2"),
        ({"temperature": "hot"}, "temperature", "'hot' is not a number"),
        ({"top_p": True}, "top_p", "True is not a number"),
        ({"max_tokens": 0}, "max_tokens", "0 is below 1"),
        ({"max_tokens": 1.5}, "max_tokens", "not a whole number"),
        ({"seed": 2**70}, "seed", "is above"),
        ({"stream": "yes"}, "stream", "neither true nor false"),
        ({"stream_options": {"include_usage": True}}, "stream_options", "together with stream"),
        ({"tools": [{}]}, "tools", "not supported"),
        ({"response_format": {"type": "json_object"}}, "response_format", "json_object"),
        ({"messages": []}, "messages", "at least one"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages[0].role", "'king'"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "must be a text"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content",
            "reads text only",
        ),
        ({"model": ""}, "model", "must name a model"),
    ],
)
def test_refusals_name_field_and_reason(change: dict[str, Any], param: str, says: str) -> None:
    with pytest.raises(OpenAIError) as caught:
        parse_chat({**CHAT, **change})
    error = caught.value
    assert (error.status, error.param) == (400, param)
    assert says in error.message


@pytest.mark.parametrize(
    "change",
    [{"prompt": ["a", "b"]}, {"prompt": ""}, {"prompt": 7}, {"echo": True}, {"suffix": "x"},
     {"best_of": 3}, {"tools": [{}]}, {"top_logprobs": 2}, {"logprobs": 0}, {"logprobs": 5}, {"prompt": []}, {"prompt": [""]},
     {"prompt": [[]]}, {"prompt": [True, False]}, {"prompt": [[1], [2]]}, {"prompt": {"a": 1}},
     {"prompt": [[[1]]]}, {"prompt": [1, "a"]}, {"prompt": [1.5]}],
)  # fmt: skip
def test_completion_refusals(change: dict[str, Any]) -> None:
    with pytest.raises(OpenAIError) as caught:
        parse_completion({**PLAIN, **change})
    assert caught.value.param == next(iter(change))


def test_a_body_must_be_an_object() -> None:
    with pytest.raises(OpenAIError, match="JSON object"):
        parse_chat([])
