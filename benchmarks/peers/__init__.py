"""Detectors to compare with, measured in the same run and by the same clock as the engine."""
