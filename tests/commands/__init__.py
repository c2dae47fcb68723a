"""Tests of `streamtrace.commands`."""
