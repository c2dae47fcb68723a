"""The separate trainer: prepare, train, evaluate, export."""
