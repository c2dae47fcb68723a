"""Alerts: evidence over a whole call against a promised rate of false alarms per call."""
