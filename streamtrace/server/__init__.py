"""The one-port server: ingest, calls, events, operations, first page."""
