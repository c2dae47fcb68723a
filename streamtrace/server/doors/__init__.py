"""The ways in for media streams. One file a platform: its routes, and what it checks first."""
