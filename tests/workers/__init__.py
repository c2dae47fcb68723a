"""Tests of `streamtrace.workers`."""
