"""Pacing: deadlines are absolute, in virtual time."""

from __future__ import annotations

from streamtrace.clients.pace import Pace


class VirtualTime:
    """Sleeping moves the clock."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


async def test_lateness_does_not_add_up():
    time = VirtualTime()
    pace = Pace(now=time.now, sleep=time.sleep)
    for frame in range(50):
        await pace.until(frame * 0.02)
        time.now_s += 0.015 if frame != 20 else 0.1  # work, and once a long stall
    assert abs(time.now_s - 100 - 49 * 0.02 - 0.015) < 1e-9


async def test_a_late_sender_never_waits():
    time = VirtualTime()
    pace = Pace(now=time.now, sleep=time.sleep)
    await pace.until(0)
    time.now_s += 1
    await pace.until(0.5)
    assert time.slept == [0, 0]


async def test_twice_as_fast_takes_half_the_time():
    time = VirtualTime()
    pace = Pace(2, now=time.now, sleep=time.sleep)
    await pace.until(0)
    await pace.until(3)
    assert time.now_s == 101.5


async def test_speed_zero_only_yields():
    time = VirtualTime()
    pace = Pace(0, now=time.now, sleep=time.sleep)
    await pace.until(0)
    await pace.until(3600)
    assert time.now_s == 100
