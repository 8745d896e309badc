"""Reading, writing, splitting and cleaning data sets; no torch at import."""
