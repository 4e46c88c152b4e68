from mizzen.compose.backoff import next_delay_s


def test_doubles_to_half_a_minute_and_forgets_after_a_minute() -> None:
    delays = [0.0]
    for _ in range(10):
        delays.append(next_delay_s(delays[-1], uptime_s=0.5))
    assert delays[1:] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0]
    assert next_delay_s(30.0, uptime_s=61.0) == 0.1
