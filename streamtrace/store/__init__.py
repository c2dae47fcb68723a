"""Keeps what calls said, on disk or in PostgreSQL, and gives it back."""
