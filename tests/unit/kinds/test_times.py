from __future__ import annotations

import pytest

from mizzen.kinds.decoding import decode
from mizzen.kinds.schema import MICRO_TIME, TIME, record
from mizzen.kinds.times import canonical


@pytest.mark.parametrize(
    ("written", "time", "micro"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000Z"),
        ("2026-01-02T03:04:05.123Z", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123000Z"),
        ("2026-01-02T03:04:05.1234567Z", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123456Z"),
        ("2026-01-02T03:04:05.999+02:00", "2026-01-02T01:04:05Z", "2026-01-02T01:04:05.999000Z"),
        ("2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00Z", "2025-12-31T23:30:00.000000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_one_form_is_stored(written: str, time: str, micro: str) -> None:
    assert canonical(written) == time
    assert canonical(written, micro=True) == micro
    assert canonical(time) == time and canonical(micro, micro=True) == micro


@pytest.mark.parametrize(
    "text",
    ["", "2026-01-02", "2026-01-02 03:04:05Z", "2026-02-30T03:04:05Z", "2026-01-02T23:59:60Z",
     "2026-01-02T24:00:00Z", "2026-01-02T03:04:05", "0001-01-01T00:00:00+01:00",
     "9999-12-31T23:59:59-01:00", "2026-01-02T03:04:05+99:00", "0000-01-01T00:00:00Z", "now",
     "2026-01-02T03:04:05Z\n", "٢٠٢٦-01-02T03:04:05Z",
     "2026-01-02T03:04:05." + "1" * 100_000 + "Z"],  # a thousand of those would be remembered
)  # fmt: skip
def test_moments_that_no_calendar_has_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        canonical(text)
    for schema in (TIME, MICRO_TIME("With a description.")):
        decoded = decode(record(at=schema), {"at": text})
        assert [cause.field for cause in decoded.causes] == ["at"]


def test_fields_of_these_types_are_made_canonical() -> None:
    schema = record(a=TIME("When."), b=MICRO_TIME("When, exactly."), c=TIME())
    decoded = decode(
        schema, {"a": "2026-01-02T03:04:05.9Z", "b": "2026-01-02T03:04:05Z", "c": None}
    )
    assert not decoded.causes
    assert decoded.object == {"a": "2026-01-02T03:04:05Z", "b": "2026-01-02T03:04:05.000000Z"}
