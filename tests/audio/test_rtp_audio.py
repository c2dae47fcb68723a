"""Placed packets become audio: each codec in its place, silence filled, losses repaired or told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from aiortc.codecs import get_encoder
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from av import AudioFrame

from streamtrace.audio.g711 import encode_alaw, encode_mulaw
from streamtrace.audio.libopus import PyAvOpus
from streamtrace.audio.opus import repeats_previous
from streamtrace.audio.rtp_audio import RTP_CODECS, RtpAudio
from streamtrace.audio.rtp_order import Placed
from streamtrace.demo.callers import synthetic_callers
from streamtrace.values import STEP_SAMPLES, Float32s
from tests.opus_encoder import encode_opus
from tests.rtp_packets import gaps, heard, joined, leg, on_time, packets

SECONDS = 2


def tone(samples: int) -> Float32s:
    """440 Hz, [samples] at 16 kHz."""
    time = np.arange(samples) / 16_000
    return (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)


def g722(pcm: Float32s) -> list[bytes]:
    encoder = get_encoder(RTCRtpCodecParameters("audio/G722", 8_000, 1, payloadType=9))
    frame = AudioFrame.from_ndarray((pcm * 32_767).astype(np.int16)[None], layout="mono")
    frame.sample_rate, frame.pts = 16_000, 0
    return encoder.encode(frame)[0]


def payloads(codec: str, pcm: Float32s) -> list[bytes]:
    """[T] at 16 kHz -> packets of 20 ms."""
    match codec:
        case "opus":
            return encode_opus(pcm)
        case "G722":
            return g722(pcm)
        case _:
            encode = encode_mulaw if codec == "PCMU" else encode_alaw
            frames = pcm[::2].reshape(-1, 160)
            return [encode(frame) for frame in frames]


@pytest.mark.parametrize("codec", list(RTP_CODECS))
def test_each_codec_is_heard_whole_and_in_place(codec: str) -> None:
    sent = payloads(codec, tone(SECONDS * 16_000))
    chunks = heard(codec, on_time(packets(codec, sent)))
    assert not gaps(chunks)
    pcm = joined(chunks)
    assert len(pcm) == 320 * len(sent)
    spectrum = np.abs(np.fft.rfft(pcm[8_000:24_000] * np.hanning(16_000)))
    assert spectrum.argmax() == pytest.approx(440, abs=2)


def test_packets_wait_until_a_step_is_whole() -> None:
    listening = leg("opus")
    came = [
        len(listening.feed(packet, at_s) or ())
        for at_s, packet in on_time(packets("opus", payloads("opus", tone(16_000))))
    ]
    assert sum(came) == 1 + 16_000 // STEP_SAMPLES


def test_a_lost_packet_of_opus_is_no_gap_where_its_successor_repeats_it() -> None:
    coded = encode_opus(synthetic_callers()[0].pcm[: 3 * 16_000])
    one, other = [n for n, packet in enumerate(coded) if repeats_previous(packet)][20:100:50]
    arrivals = on_time(packets("opus", coded))
    kept = [arrivals[n] for n in range(len(coded)) if n not in (one - 1, other - 2, other - 1)]
    assert gaps(heard("opus", kept)) == [((other - 2) * 320, (other - 1) * 320)]


def test_the_last_packet_s_loss_is_told_at_once_with_the_next() -> None:
    listening = leg("PCMU")
    arrivals = on_time(packets("PCMU", payloads("PCMU", tone(16_000))))
    for at_s, packet in arrivals[:5]:
        listening.feed(packet, at_s)
    at_s, packet = arrivals[6]
    listening.feed(packet, at_s)
    behind = listening.release(at_s + 0.04)
    assert [chunk.start_sample for chunk, _ in behind][-1] == 6 * 320
    assert {received_at_s for _, received_at_s in behind} == {at_s}


def test_silence_is_heard_as_silence_and_is_no_gap() -> None:
    sent = packets("PCMU", payloads("PCMU", tone(6_400)))
    late = [replace(one, stamp=one.stamp + 8_000 & 0xFFFF_FFFF) for one in sent[10:]]
    chunks = heard("PCMU", [*on_time(sent[:10]), *on_time(late, from_s=101.2)])
    assert not gaps(chunks)
    pcm = joined(chunks)
    assert len(pcm) == 320 * 20 + 16_000
    assert np.abs(pcm[3_400:19_000]).max() < 1e-3


def test_ticks_that_make_no_whole_sample_leave_no_gap() -> None:
    audio = RtpAudio(RTP_CODECS["opus"])
    sent = encode_opus(tone(3_200))
    silent = [0, 1_000, 1_001, 1_000, 0, 2_002, 1_003, 1_000, 0, 1_001]
    start, chunks = 0, []
    for number, (packet, ticks) in enumerate(zip(sent, silent, strict=True)):
        start += ticks
        chunks += audio.feed(Placed(start, 0, ticks, packet, float(number)))
        start += 960
    chunks += audio.flush(9.0)
    assert not gaps([chunk for chunk, _ in chunks])


def test_without_libopus_losses_are_gaps() -> None:
    audio = RtpAudio(replace(RTP_CODECS["opus"], hearing=PyAvOpus))
    sent = encode_opus(tone(SECONDS * 16_000))
    chunks = []
    for number, packet in enumerate(sent):
        if number != 30:
            lost = 960 if number == 31 else 0
            chunks += audio.feed(Placed(960 * number, lost, 0, packet, 0.0))
    chunks += audio.flush(0.0)
    assert gaps([chunk for chunk, _ in chunks]) == [(30 * 320, 31 * 320)]


def test_what_opus_leaves_out_in_silence_is_not_lost() -> None:
    voice = synthetic_callers()[0].pcm[: 2 * 16_000]
    quiet = np.concatenate([voice, np.zeros(3 * 16_000, np.float32), voice])
    coded = encode_opus(quiet, dtx=True)
    sent = packets("opus", coded, stamp=0)
    # A sender leaves out what holds nothing, and its numbers go on without a hole.
    spoken = [
        replace(packet, stamp=960 * n, number=0) for n, packet in enumerate(sent) if coded[n][1:]
    ]
    numbered = [replace(packet, number=n) for n, packet in enumerate(spoken)]
    assert len(numbered) < len(coded) - 50
    chunks = heard("opus", [(100 + packet.stamp / 48_000, packet) for packet in numbered])
    assert not gaps(chunks)
    assert len(joined(chunks)) == 320 * len(coded)
