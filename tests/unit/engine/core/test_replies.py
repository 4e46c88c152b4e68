from __future__ import annotations

from mizzen.engine.core.replies import Reply, Usage


def test_whole_answers() -> None:
    chat = Reply("id", "m", 1, chat=True).whole("hi", "stop", Usage(2, 3))
    assert chat["choices"][0]["message"]["content"] == "hi"
    assert chat["usage"]["total_tokens"] == 5
    plain = Reply("id", "m", 1, chat=False).whole("hi", "length", Usage(2, 3))
    assert plain["choices"][0]["text"] == "hi"
    assert plain["object"] == "text_completion"


def test_chunks() -> None:
    chat, plain = Reply("id", "m", 1, chat=True), Reply("id", "m", 1, chat=False)
    opening = chat.opening(include_usage=False)
    assert opening is not None
    assert opening["choices"][0]["delta"]["role"] == "assistant"
    assert plain.opening(include_usage=False) is None
    assert chat.delta("x", include_usage=True)["usage"] is None
    assert "usage" not in chat.delta("x", include_usage=False)
    assert plain.closing("stop", include_usage=False)["choices"][0]["finish_reason"] == "stop"
    assert chat.usage_chunk(Usage(1, 1))["choices"] == []
