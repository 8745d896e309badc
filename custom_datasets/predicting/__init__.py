"""Trained models on pictures: predictions, ensembles, submissions."""
