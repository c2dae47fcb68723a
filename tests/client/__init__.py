"""Tests of `streamtrace.client`."""
