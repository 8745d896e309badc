"""Several runs: campaigns, folds, comparison."""
