from mizzen.compose.backoff import next_delay_s


def test_doubles_to_five_seconds_and_forgets_after_a_minute() -> None:
    delays = [0.0]
    for _ in range(8):
        delays.append(next_delay_s(delays[-1], uptime_s=0.5))
    assert delays[1:] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert next_delay_s(5.0, uptime_s=61.0) == 0.1
