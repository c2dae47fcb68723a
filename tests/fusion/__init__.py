"""Tests of `streamtrace.fusion`."""
