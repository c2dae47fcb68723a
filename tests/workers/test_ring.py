"""The ring in shared memory: what goes in comes out, once, in order, whatever the sizes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from streamtrace.workers.ring import (
    Kind,
    Record,
    RingReader,
    RingTorn,
    RingWriter,
    create_memory,
    map_memory,
)

SIZE = 1_024
HEADER = 40
ROOT = Path(__file__).parents[2]


def record(number: int, length: int) -> Record:
    payload = bytes((number + at) % 256 for at in range(length))
    return Record(
        Kind(1 + number % 2), number, payload, number % 2, number % 3, -number, number / 7
    )


def told(one: Record) -> tuple[object, ...]:
    return (
        one.kind,
        one.channel,
        bytes(one.payload),
        one.leg,
        one.cause,
        one.start_sample,
        one.received_at_s,
    )


@pytest.mark.laws
@given(st.lists(st.one_of(st.integers(0, SIZE // 2 - HEADER - 8), st.just("read")), max_size=80))
def test_what_is_written_is_read_once_and_in_order(moves: list[int | str]) -> None:
    memory = bytearray(SIZE)
    writer, reader = RingWriter(memory), RingReader(memory)
    waiting: deque[Record] = deque()
    for number, move in enumerate(moves):
        if move == "read":
            assert [told(one) for one in reader.read(writer.head)] == [told(r) for r in waiting]
            waiting.clear()
            writer.freed(reader.tail)
        else:
            given_record = record(number, int(move))
            if writer.write(given_record):
                waiting.append(given_record)
            else:
                assert waiting, "an empty ring takes any record that it may be given"
        assert writer.head - reader.tail <= SIZE
    assert [told(one) for one in reader.read(writer.head)] == [told(one) for one in waiting]


@pytest.mark.laws
@given(st.integers(0, SIZE - 1), st.integers(0, 255), st.integers(1, 200))
def test_a_damaged_ring_is_told_or_harmless(at: int, value: int, length: int) -> None:
    """Whatever a broken writer left: only `RingTorn` comes out, and nothing beyond the memory."""
    memory = bytearray(SIZE)
    writer, reader = RingWriter(memory), RingReader(memory)
    while writer.write(record(1, length)):
        pass
    memory[at] = value
    with suppress(RingTorn):
        assert all(len(one.payload) <= SIZE for one in reader.read(writer.head))


def test_positions_that_cannot_be_are_refused() -> None:
    memory = bytearray(SIZE)
    writer, reader = RingWriter(memory), RingReader(memory)
    assert writer.write(record(1, 8))
    for head in (-8, SIZE + 8):
        with pytest.raises(RingTorn, match="claims"):
            list(reader.read(head))
    with pytest.raises(RingTorn, match="half a header"):
        list(reader.read(8))
    with pytest.raises(RingTorn, match="claims"):
        writer.freed(writer.head + 8)
    with pytest.raises(ValueError, match="at most"):
        writer.write(record(1, SIZE // 2))


WRITER = """
import socket, sys
from streamtrace.workers.ring import Kind, Record, RingWriter, map_memory
writer = RingWriter(map_memory(int(sys.argv[1])))
bell = socket.socket(fileno=int(sys.argv[2]))
for number in range(3_000):
    payload = number.to_bytes(4, "little") * (number * 37 % 300)
    while not writer.write(Record(Kind.AUDIO, number, payload)):
        writer.freed(int.from_bytes(bell.recv(8), "little"))
    bell.send(writer.head.to_bytes(8, "little"))
while int.from_bytes(bell.recv(8), "little") < writer.head:
    pass
"""


def test_two_processes() -> None:
    descriptor = create_memory(16_384)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-c", WRITER, str(descriptor), str(theirs.fileno())],
                pass_fds=(descriptor, theirs.fileno()),
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            )
        reader = RingReader(map_memory(descriptor))
        seen = 0
        while heard := ours.recv(8):
            for one in reader.read(int.from_bytes(heard, "little")):
                assert one.channel == seen
                assert one.payload == seen.to_bytes(4, "little") * (seen * 37 % 300)
                seen += 1
            ours.send(reader.tail.to_bytes(8, "little"))
        assert process.wait(timeout=20) == 0
        assert seen == 3_000
