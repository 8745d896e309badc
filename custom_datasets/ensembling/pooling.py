"""Probabilities of several classifiers made into one.

The linear and the logarithmic opinion pool: C. Genest, J. V. Zidek, "Combining
Probability Distributions: A Critique and an Annotated Bibliography",
Statistical Science 1 (1986).
"""

import numpy as np

from custom_datasets.evaluation.calibration import log_probabilities, with_temperature
from custom_datasets.evaluation.results import Floats

METHODS = ('mean', 'logits')


def pool_scores(scores: Floats, weights: Floats, method: str = 'mean') -> Floats:
    """Make one probability for each class out of all models'.

    Args:
        scores: Shape (models, images, classes); each row sums to 1.
        weights: Shape (models,), 0 or more, one of them above 0.
        method: ``mean`` of the probabilities, or of their logarithms
            (``logits``): the geometric mean, divided by its sum.

    Returns:
        Shape (images, classes); each row sums to 1.
    """
    share = (weights / weights.sum())[:, None, None]
    if method == 'mean':
        mean: Floats = (share * scores).sum(axis=0)
        return mean
    logs = (share * log_probabilities(scores)).sum(axis=0)
    pooled: Floats = np.exp(with_temperature(logs, 1.0))
    return pooled
