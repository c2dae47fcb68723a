"""Generators' last stages: human speech in, the same speech from a vocoder out."""
