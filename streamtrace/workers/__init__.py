"""Ingest in processes of its own, in front of the one process that batches and decides."""
