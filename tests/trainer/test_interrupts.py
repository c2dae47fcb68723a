"""The first Ctrl-C is a wish, the second an order."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from trainer.interrupts import Interrupts


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_is_noted_and_the_second_interrupts(capsys: pytest.CaptureFixture[str]) -> None:
    with Interrupts() as interrupts:
        assert not interrupts.asked
        press()
        assert interrupts.asked
        assert "once more to stop now" in capsys.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            press()
    with pytest.raises(KeyboardInterrupt):
        press()  # as before


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    asked: list[bool] = []

    def run() -> None:
        with Interrupts() as interrupts:
            asked.append(interrupts.asked)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert asked == [False]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
