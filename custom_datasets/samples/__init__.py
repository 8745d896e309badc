"""Drawn data in the formats of the real sets, for a demo and for tests.

It proves that everything works from end to end; only real data can tell what a
model is worth.
"""
