"""The demonstration: real calls through a real server on loopback."""
