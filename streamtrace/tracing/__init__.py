"""From frame embeddings to class scores: pooling, windows, heads, gallery, calibration."""
