"""What is wrong with a config and its data, found before a run; no torch at import."""
