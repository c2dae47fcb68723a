"""Tests of `streamtrace.demo`."""
