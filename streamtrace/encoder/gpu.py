"""A `StepRunner` on a GPU: every batch is one copy there, one captured graph and one copy back."""

from __future__ import annotations

import gc
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from streamtrace.encoder.buckets import Buckets
from streamtrace.encoder.bundle import Bundle
from streamtrace.encoder.cache import Rows
from streamtrace.encoder.gpu_answers import DeviceModel
from streamtrace.encoder.gpu_blocks import Field, Layout
from streamtrace.encoder.gpu_device import Device, Mark, Work
from streamtrace.encoder.gpu_heard import DeviceHeard
from streamtrace.encoder.gpu_state import EncoderRows, Precision, load_encoder
from streamtrace.encoder.runner import StepBatch
from streamtrace.fusion.fuse import Fused
from streamtrace.fusion.tracer import Answers
from streamtrace.values import CONTEXT_SAMPLES, STEP_FRAMES, STEP_SAMPLES, Bools

BERTHS = 2  # one is filled while the other's batch runs

# What a batch takes to the device, per row. Audio goes in fp32 at any precision: the signature
# hears what int16 drops between the bands of a telephone line, and says something else of it. It
# goes with its context: that could lie on the device from the step before and save a sixth of the
# bytes, but a row's result would then depend on which step came before.
IN_FIELDS = {
    "pcm": Field("float32", (CONTEXT_SAMPLES + STEP_SAMPLES,)),
    "rows": Field("int64"),  # which are written
    "cached": Field("int64"),  # whose caches are read: the row's own, or the blank ones
    "heard": Field("int64"),  # whose pools are read, likewise
    "index": Field("int64"),
    "usable": Field("bool", (STEP_FRAMES,)),
}


@dataclass(slots=True, eq=False)
class Berth:
    """Host memory for one batch on its way: what goes to the device, and what comes back."""

    going: Tensor
    coming: Tensor
    mark: Mark | None = None  # behind its last batch; until then, neither may be touched
    taken: bool = False  # its batch has not been collected
    going_bytes: npt.NDArray[np.uint8] = field(init=False)
    coming_bytes: npt.NDArray[np.uint8] = field(init=False)

    def __post_init__(self) -> None:
        self.going_bytes, self.coming_bytes = self.going.numpy(), self.coming.numpy()


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """A batch that was given to the device."""

    berth: Berth
    size: int  # of its bucket
    read: npt.NDArray[np.intp]  # which of its rows' answers are wanted


class GpuRunner:
    """Steps rows on one device, from one thread; `reset` alone may be called from any other.

    A row's result depends on that row alone: not on its neighbours, and on the batch's size only
    as far as a library's choice of kernels rounds differently.
    """

    def __init__(
        self, bundle: Bundle, *, slots: int, device: Device, precision: Precision, most: int
    ) -> None:
        self.buckets = Buckets.up_to(min(most, slots))
        self.precision: Precision = precision
        self._device = device
        place, model = device.place, bundle.trace_model
        self._encoder = EncoderRows(load_encoder(bundle, place, precision), slots)
        self._heard = DeviceHeard(slots, model.width, place)
        self._model = DeviceModel(model, place)
        self._lock = threading.Lock()
        self._is_new = np.ones(slots, np.bool_)  # what the row remembers is not its tenant's
        self._out_fields = out_fields(len(model.catalog.sources), len(model.catalog.families))
        room_in, room_out = self.block_bytes(self.buckets.most)
        self._going = torch.zeros(room_in, dtype=torch.uint8, device=place)
        self._coming = torch.zeros(room_out, dtype=torch.uint8, device=place)
        self._berths = [
            Berth(device.host_block(room_in), device.host_block(room_out)) for _ in range(BERTHS)
        ]
        self._turn = 0
        self._steps: dict[int, Work] = {}
        self._asks: dict[int, Work] = {}
        gc.collect()  # what earlier runners left, while no capture minds that it goes
        for size in reversed(self.buckets.sizes):  # the largest sets what all graphs share
            given = Layout(IN_FIELDS, size).tensors(self._going)
            for name in ("rows", "cached", "heard"):  # so that no leg's memory is written
                given[name].fill_(self._encoder.scratch)
            self._steps[size] = device.capture(self._step_of(size))
            self._asks[size] = device.capture(self._ask_of(size))

    @property
    def state_bytes_per_row(self) -> int:
        """What one leg costs in the device's memory."""
        return self._encoder.bytes_per_row + self._heard.bytes_per_row

    def block_bytes(self, size: int) -> tuple[int, int]:
        """What a batch of this size takes to the device, and what it brings back."""
        return Layout(IN_FIELDS, size).nbytes, Layout(self._out_fields, size).nbytes

    def reset(self, rows: Sequence[int] | Rows) -> None:
        """Make the rows like new: noted here, and done by whatever reads them next."""
        with self._lock:
            self._is_new[rows] = True

    def run(self, batch: StepBatch) -> Answers | None:
        """Step the rows once -> an answer for each that wanted one, in their order, if any did."""
        found: list[Answers] = []
        for cut in self.buckets.cuts(len(batch.rows)):
            part = StepBatch(
                batch.rows[cut],
                batch.pcm[cut],
                batch.index[cut],
                batch.usable[cut],
                batch.fresh[cut],
                batch.wanted[cut],
            )
            if (answers := self.collect(self.submit(part))) is not None:
                found.append(answers)
        return joined(found) if found else None

    def answer(self, rows: Rows) -> Answers:
        """What the rows' legs say by now."""
        found: list[Answers] = []
        for cut in self.buckets.cuts(len(rows)):
            answers = self.collect(self._ask(rows[cut]))
            assert answers is not None
            found.append(answers)
        return joined(found)

    def submit(self, batch: StepBatch) -> Ticket:
        """Give the device a batch of one bucket; of two that are under way the first is collected
        before a third comes.
        """
        count = len(batch.rows)
        size = self.buckets.holding(count)
        berth = self._free_berth()
        views = Layout(IN_FIELDS, size).arrays(berth.going_bytes)
        views["pcm"][:count] = batch.pcm
        views["index"][:count] = batch.index
        views["usable"][:count] = batch.usable
        is_new = self._take_new(batch.rows)
        try:
            self._put_rows(views, batch.rows, is_new, is_new | batch.fresh)
            return self._send(berth, size, self._steps[size], np.flatnonzero(batch.wanted))
        except BaseException:
            self.reset(batch.rows[is_new])
            raise

    def collect(self, ticket: Ticket) -> Answers | None:
        """Wait for a batch -> its answers, owned by the caller, if any is wanted.

        Also where none is: how long it took, and that it failed, is said of no other batch.
        """
        berth = ticket.berth
        try:
            assert berth.mark is not None
            berth.mark.wait()
            if not len(ticket.read):
                return None
            found = Layout(self._out_fields, ticket.size).arrays(berth.coming_bytes)
            taken = {name: part[ticket.read] for name, part in found.items()}
            speech_ms = taken.pop("speech_ms")
            return Answers(Fused(**taken), speech_ms)
        finally:
            berth.taken = False

    def close(self) -> None:
        """Wait for all that the device was given; what it works on may be freed behind this."""
        with suppress(RuntimeError):  # a lost device has told its batches, and works no more
            self._device.mark().wait()

    def _ask(self, rows: Rows) -> Ticket:
        size = self.buckets.holding(len(rows))
        berth = self._free_berth()
        with self._lock:
            is_new = self._is_new[rows]
        self._put_rows(Layout(IN_FIELDS, size).arrays(berth.going_bytes), rows, is_new, is_new)
        return self._send(berth, size, self._asks[size], np.arange(len(rows)))

    def _put_rows(
        self, views: dict[str, npt.NDArray[Any]], rows: Rows, is_new: Bools, is_fresh: Bools
    ) -> None:
        """Which rows are written, and which are read for them; padding writes and reads scratch."""
        count, blank = len(rows), self._encoder.blank
        for name, chosen in (
            ("rows", rows),
            ("heard", np.where(is_new, blank, rows)),
            ("cached", np.where(is_fresh, blank, rows)),
        ):
            views[name][:count] = chosen
            views[name][count:] = self._encoder.scratch
        views["index"][count:] = 0
        views["usable"][count:] = False

    def _take_new(self, rows: Rows) -> Bools:
        with self._lock:
            is_new = self._is_new[rows]
            self._is_new[rows] = False
        return is_new

    def _free_berth(self) -> Berth:
        berth = self._berths[self._turn]
        assert not berth.taken, f"{BERTHS} batches are under way: collect the first one"
        if berth.mark is not None:
            berth.mark.wait()
        self._turn = (self._turn + 1) % BERTHS
        return berth

    def _send(self, berth: Berth, size: int, work: Work, read: npt.NDArray[np.intp]) -> Ticket:
        going, coming = self.block_bytes(size)
        try:
            self._device.copy(self._going[:going], berth.going[:going])
            work()
            if len(read):
                self._device.copy(berth.coming[:coming], self._coming[:coming])
        finally:  # what was given before a failure still reads the berth
            berth.mark = self._device.mark()
        berth.taken = True
        return Ticket(berth, size, read)

    def _step_of(self, size: int) -> Work:
        given = Layout(IN_FIELDS, size).tensors(self._going)
        answer = self._answering(given["rows"], size)

        def work() -> None:
            with torch.no_grad():
                rows = given["rows"]
                frames = self._encoder.step(rows, given["cached"], given["pcm"])
                self._heard.add(rows, given["heard"], given["index"], given["usable"], frames)
                answer()

        return work

    def _ask_of(self, size: int) -> Work:
        return self._answering(Layout(IN_FIELDS, size).tensors(self._going)["heard"], size)

    def _answering(self, known: Tensor, size: int) -> Work:
        made = Layout(self._out_fields, size).tensors(self._coming)

        def work() -> None:
            with torch.no_grad():
                pooled, speech_ms = self._heard.statistics(known)
                fused = self._model(pooled.flatten(0, 1), speech_ms.flatten())
                for name, part in fused._asdict().items():
                    made[name].copy_(part.view(made[name].shape))
                made["speech_ms"].copy_(speech_ms)

        return work


def out_fields(sources: int, families: int) -> dict[str, Field]:
    """What a batch brings back, per row: of the call, then of its window."""
    return {
        "spoof_probability": Field("float32", (2,)),
        "llr": Field("float32", (2,)),
        "attribution": Field("float32", (2, sources + 1)),
        "families": Field("float32", (2, families + 1)),
        "novelty": Field("float32", (2,)),
        "speech_ms": Field("int64", (2,)),
    }


def joined(parts: Sequence[Answers]) -> Answers:
    """One behind the other."""
    if len(parts) == 1:
        return parts[0]
    fused = [part.fused for part in parts]
    return Answers(
        Fused(
            np.concatenate([one.spoof_probability for one in fused]),
            np.concatenate([one.llr for one in fused]),
            np.concatenate([one.attribution for one in fused]),
            np.concatenate([one.families for one in fused]),
            np.concatenate([one.novelty for one in fused]),
        ),
        np.concatenate([part.speech_ms for part in parts]),
    )
