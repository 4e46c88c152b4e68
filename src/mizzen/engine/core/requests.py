"""Bodies of OpenAI requests, checked and turned into values.

Fields that we do not know are ignored, as OpenAI-compatible servers do; fields that we know and
cannot honour are refused, because a silently different answer is worse than none.
Source: OpenAI API reference, "Create chat completion" and "Create completion" (2025).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, cast

from mizzen.base.openai import OpenAIError

STOP_COUNT_MAX = 4  # OpenAI: "Up to 4 sequences"
STOP_BYTES_MAX = 1024
MESSAGES_MAX = 4096
COMPLETION_TOKENS_DEFAULT = 16  # OpenAI's default for /v1/completions; chat fills the context
GREEDY_BELOW = 1e-5  # temperatures that float32 cannot divide by; the likeliest token is all
# Fields that this engine does not act upon, with the values that ask for nothing.
_CHANGES_THE_ANSWER: Mapping[str, tuple[object, ...]] = {
    # OpenAI's
    "audio": (),
    "best_of": (1,),
    "echo": (False,),
    "function_call": ("none", "auto"),
    "functions": ([],),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "reasoning_effort": ("none",),
    "suffix": ("",),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "top_logprobs": (0,),
    "verbosity": ("medium",),
    "web_search_options": (),
    # other engines'
    "add_generation_prompt": (True,),
    "allowed_token_ids": (),
    "bad_words": ([],),
    "chat_template": (),
    "chat_template_kwargs": ({},),
    "continue_final_message": (False,),
    "documents": ([],),
    "grammar": (),
    "guided_choice": (),
    "guided_grammar": (),
    "guided_json": (),
    "guided_regex": (),
    "include_stop_str_in_output": (False,),
    "json_schema": (),
    "length_penalty": (1,),
    "min_p": (0,),
    "min_tokens": (0,),
    "prompt_embeds": (),
    "prompt_logprobs": (),
    "repetition_penalty": (1,),
    "return_token_ids": (False,),
    "skip_special_tokens": (True,),
    "stop_token_ids": ([],),
    "structured_outputs": (),
    "truncate_prompt_tokens": (),
    "typical_p": (1,),
    "use_beam_search": (False,),
}
_ROLES = ("system", "developer", "user", "assistant", "tool")


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling parameters. `max_tokens` None means as many as the context holds."""

    max_tokens: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0  # 0 means all
    seed: int | None = None
    stop: tuple[str, ...] = ()
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    ignore_eos: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """One generation. Exactly one of `messages`, `text`, `tokens` is set."""

    chat: bool
    model: str
    sampling: Sampling
    stream: bool
    include_usage: bool
    messages: tuple[Message, ...] = ()
    text: str = ""
    tokens: tuple[int, ...] = ()


class TooLong(Exception):
    """A prompt has `at_least` tokens, which is more than the context holds."""

    def __init__(self, at_least: int) -> None:
        super().__init__(at_least)
        self.at_least = at_least


def parse_chat(body: object) -> Request:
    """A /v1/chat/completions request. Errors: OpenAIError 400 naming the field."""
    fields = _mapping(body)
    _refuse_unsupported(fields)
    if _flag(fields, "logprobs"):
        _refuse("logprobs", "are not supported by this engine; leave logprobs out")
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages:
        _refuse("messages", "must be a list of at least one message")
    entries = cast(list[object], messages)
    if len(entries) > MESSAGES_MAX:
        _refuse("messages", f"{len(entries)} messages, at most {MESSAGES_MAX}")
    return Request(
        chat=True,
        model=_model(fields),
        sampling=_sampling(fields, None),
        stream=_flag(fields, "stream"),
        include_usage=_include_usage(fields),
        messages=tuple(_message(entry, index) for index, entry in enumerate(entries)),
    )


def parse_completion(body: object) -> Request:
    """A /v1/completions request. Errors: OpenAIError 400 naming the field."""
    fields = _mapping(body)
    _refuse_unsupported(fields)
    if fields.get("logprobs") is not None:  # 0 asks for those of the chosen tokens
        _refuse("logprobs", "are not supported by this engine; leave logprobs out")
    text, tokens = _prompt(fields.get("prompt"))
    return Request(
        chat=False,
        model=_model(fields),
        sampling=_sampling(fields, COMPLETION_TOKENS_DEFAULT),
        stream=_flag(fields, "stream"),
        include_usage=_include_usage(fields),
        text=text,
        tokens=tokens,
    )


def _prompt(value: object) -> tuple[str, tuple[int, ...]]:
    """The one prompt, as text or as token ids, alone or in a list of one."""
    if isinstance(value, list):
        entries = cast(list[object], value)
        if len(entries) > 1 and not _are_tokens(entries):
            _refuse("prompt", f"a list of {len(entries)} prompts; send one prompt a request")
        if len(entries) == 1 and not _are_tokens(entries):
            value = entries[0]
    if isinstance(value, list) and _are_tokens(entries := cast(list[object], value)):
        return "", tuple(cast(list[int], entries))
    if not isinstance(value, str) or not value:
        _refuse("prompt", "must be a text of at least one character, or a list of token ids")
    return value, ()


def _are_tokens(entries: list[object]) -> bool:
    return bool(entries) and all(type(entry) is int for entry in entries)  # true is no token id


def _message(entry: object, index: int) -> Message:
    where = f"messages[{index}]"
    if not isinstance(entry, dict):
        _refuse(where, "must be an object with role and content")
    fields = cast(dict[str, object], entry)
    role = fields.get("role")
    if role not in _ROLES:
        _refuse(f"{where}.role", f"{_shown(role)} is not one of {', '.join(_ROLES)}")
    for name in ("tool_calls", "function_call", "audio"):
        if fields.get(name):
            _refuse(
                f"{where}.{name}",
                f"this engine cannot show {name.replace('_', ' ')} to its model; leave the turn "
                "out, or say it in content",
            )
    if fields.get("refusal"):
        _refuse(f"{where}.refusal", "this engine shows its model content only; say it there")
    content = fields.get("content")
    if content is None and role == "assistant":
        content = ""
    if isinstance(content, list):
        content = "".join(_part(part, where) for part in cast(list[object], content))
    if not isinstance(content, str):
        _refuse(f"{where}.content", "must be a text or a list of text parts")
    return Message(str(role), content)


def _part(part: object, where: str) -> str:
    fields = cast(dict[str, object], part) if isinstance(part, dict) else {}
    text = fields.get("text")
    if fields.get("type") != "text" or not isinstance(text, str):
        _refuse(f"{where}.content", "holds a part that is not text; this model reads text only")
    return text


def _sampling(fields: Mapping[str, object], tokens_default: int | None) -> Sampling:
    limits = [_integer(fields, name, 1) for name in ("max_completion_tokens", "max_tokens")]
    temperature = _number(fields, "temperature", 0.0, 2.0, 1.0)
    return Sampling(
        max_tokens=next((limit for limit in limits if limit is not None), tokens_default),
        temperature=temperature if temperature >= GREEDY_BELOW else 0.0,
        top_p=_number(fields, "top_p", 0.0, 1.0, 1.0),
        top_k=max(0, _integer(fields, "top_k", -1) or 0),
        seed=_integer(fields, "seed", -(2**63)),
        stop=_stop(fields.get("stop")),
        presence_penalty=_number(fields, "presence_penalty", -2.0, 2.0, 0.0),
        frequency_penalty=_number(fields, "frequency_penalty", -2.0, 2.0, 0.0),
        ignore_eos=_flag(fields, "ignore_eos"),
    )


def _stop(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    entries = cast(list[object], value) if isinstance(value, list) else [value]
    if len(entries) > STOP_COUNT_MAX:
        _refuse("stop", f"{len(entries)} sequences, at most {STOP_COUNT_MAX}")
    for entry in entries:
        if not isinstance(entry, str) or not entry:
            _refuse("stop", "must be a text or a list of texts, none of them empty")
        size = len(entry.encode("utf-8", "surrogatepass"))
        if size > STOP_BYTES_MAX:
            _refuse("stop", f"a sequence of {size} bytes, at most {STOP_BYTES_MAX}")
    return tuple(cast(list[str], entries))


def _refuse_unsupported(fields: Mapping[str, object]) -> None:
    """Refuses fields that would change the answer if they were ignored."""
    n = _integer(fields, "n", 1)
    if n is not None and n > 1:
        _refuse("n", f"{n} is above 1, the only value this engine supports; send {n} requests")
    for name, value in fields.items():
        harmless = _CHANGES_THE_ANSWER.get(name)
        if value is None or harmless is None:
            continue
        # True is 1 to Python, not to a client.
        asks = all(value != same or isinstance(value, bool) is not isinstance(same, bool)
                   for same in harmless)  # fmt: skip
        if asks:
            _refuse(name, f"{_shown(value)} is not supported by this engine; leave {name} out")
    form = fields.get("response_format")
    kind = cast(dict[str, object], form).get("type") if isinstance(form, dict) else form
    if kind not in (None, "text"):
        _refuse("response_format", f'{_shown(kind)} is not supported by this engine, only "text"')


def _include_usage(fields: Mapping[str, object]) -> bool:
    options = fields.get("stream_options")
    if options is None:
        return False
    if not isinstance(options, dict):
        _refuse("stream_options", "must be an object")
    if not _flag(fields, "stream"):
        _refuse("stream_options", "is only allowed together with stream: true")
    return _flag(cast(dict[str, object], options), "include_usage")


def _mapping(body: object) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise OpenAIError(400, "the request body must be a JSON object", code="invalid_json")
    return cast(dict[str, Any], body)


def _model(fields: Mapping[str, object]) -> str:
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        _refuse("model", "must name a model; GET /v1/models lists them")
    return model


def _flag(fields: Mapping[str, object], name: str) -> bool:
    value = fields.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        _refuse(name, f"{_shown(value)} is neither true nor false")
    return value


def _integer(fields: Mapping[str, object], name: str, low: int) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        _refuse(name, f"{_shown(value)} is not a whole number")
    if value < low:
        _refuse(name, f"{value} is below {low}")
    if value >= 2**63:
        _refuse(name, f"{value} is above {2**63 - 1}")
    return value


def _number(
    fields: Mapping[str, object], name: str, low: float, high: float, default: float
) -> float:
    value = fields.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        _refuse(name, f"{_shown(value)} is not a number")
    if not low <= value <= high:
        _refuse(name, f"{value} is outside {low:g} to {high:g}")
    return float(value)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _refuse(param: str, message: str) -> NoReturn:
    raise OpenAIError(400, f"{param}: {message}", param=param, code="invalid_value")
