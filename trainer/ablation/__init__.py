"""The method taken apart: each stage, fusion and score of novelty on the same folds and clips."""
