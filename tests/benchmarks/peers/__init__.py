"""Tests of the peers that the engine is compared with."""
