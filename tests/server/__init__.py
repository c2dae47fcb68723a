"""Tests of `streamtrace.server`."""
