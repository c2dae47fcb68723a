"""From scores to one decision: evidence, fusion, policy."""
