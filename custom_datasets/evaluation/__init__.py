"""Metrics that stock evaluators lack."""
