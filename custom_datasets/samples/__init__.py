"""Drawn data in the formats of the real sets, for a demo and for tests.

Drawn data proves that a path works from end to end; what a model is worth
only real data can tell.
"""
