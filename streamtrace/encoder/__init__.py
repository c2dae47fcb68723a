"""The streaming-cached Conformer, its slots, its batches and its runners."""
