"""Kinds of generator of MLAAD's models, by what their names say; `meta.csv` has no such column."""

from __future__ import annotations

from trainer.manifest import DSP_FAMILY, UNKNOWN_FAMILY

# The first that a name contains decides.
BY_NAME = (
    ("griffin_lim", DSP_FAMILY),
    ("freevc", "voice-conversion"),
    ("knnvc", "voice-conversion"),
    ("openvoice", "tts-e2e-vae"),
    ("xtts", "tts-codec-lm"),
    ("bark", "tts-codec-lm"),
    ("metavoice", "tts-codec-lm"),
    ("mars5", "tts-codec-lm"),
    ("whisperspeech", "tts-codec-lm"),
    ("parler", "tts-codec-lm"),
    ("tortoise", "tts-codec-lm"),
    ("melotts", "tts-e2e-vae"),
    ("mms-tts", "tts-e2e-vae"),
    ("vits", "tts-e2e-vae"),
    ("jenny", "tts-e2e-vae"),
    ("tacotron", "tts-ar-mel"),
    ("capacitron", "tts-ar-mel"),
    ("neural_hmm", "tts-ar-mel"),
    ("overflow", "tts-ar-mel"),
    ("speecht5", "tts-ar-mel"),
    ("glow-tts", "tts-nar-mel"),
    ("fast_pitch", "tts-nar-mel"),
    ("fastpitch", "tts-nar-mel"),
    ("speedy-speech", "tts-nar-mel"),
    ("optispeech", "tts-nar-mel"),
    ("matcha", "tts-diffusion-flow"),
    ("e2-tts", "tts-diffusion-flow"),
    ("f5-tts", "tts-diffusion-flow"),
    ("styletts", "tts-diffusion-flow"),
)


def family_of(model: str) -> str:
    """The kind of generator, or `unknown`: a model that no rule names is taught to no family."""
    name = model.lower()
    return next((family for part, family in BY_NAME if part in name), UNKNOWN_FAMILY)
