"""Truth and predictions as arrays, and metrics with intervals."""
