"""Tests of `streamtrace.sources`."""
