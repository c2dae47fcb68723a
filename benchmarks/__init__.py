"""Measurements of StreamTrace; they run from a checkout with `streamtrace bench`."""
