"""Tests of `streamtrace.audio`."""
