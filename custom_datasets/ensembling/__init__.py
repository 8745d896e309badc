"""One prediction out of several models', folds' or scales'."""
