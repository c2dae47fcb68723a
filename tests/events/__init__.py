"""Tests of `streamtrace.events`."""
