"""Published corpora as they lie on disk, each by its own layout, protocol and counts."""
