"""Tests of `streamtrace.tracing`."""
