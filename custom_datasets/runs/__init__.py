"""Runs: what each leaves behind, comparing several, and cross-validation."""
