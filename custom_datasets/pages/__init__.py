"""HTML pages that open offline: a data set, a run, a comparison."""
