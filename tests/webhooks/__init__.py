"""Tests of how webhooks are decided."""
