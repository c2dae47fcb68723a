"""Tests of the encoder's runners, memory, batches and bundles."""
