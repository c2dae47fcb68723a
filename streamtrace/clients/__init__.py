"""Callers from outside: they place paced calls and follow the events."""
