"""Tests of `streamtrace.clients`."""
