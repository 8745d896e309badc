"""Classifiers that are drawn: their probabilities, and the truth."""

from string import ascii_lowercase

import numpy as np

from custom_datasets.evaluation.results import ClassificationResults, ImageInfo


def results(truth, scores, classes=None):
    """Put truth and probabilities together; classes are a, b, c, ... by default."""
    scores = np.array(scores, dtype=float)
    names = classes or tuple(ascii_lowercase[: scores.shape[1]])
    assert len(names) == scores.shape[1]
    images = [ImageInfo(f'{i}.png', f'/data/{i}.png') for i in range(len(scores))]
    return ClassificationResults(names, tuple(images), np.array(truth), scores)


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def draw(images, classes, seed=0, temperature=1.0, strength=1.5):
    """Draw a classifier; at temperature 1 it is calibrated.

    The truth is drawn with just the probabilities, whose logits are then
    multiplied by the temperature: divided by it, they are calibrated again.
    """
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(images, classes)) * strength
    steps = softmax(logits).cumsum(axis=1)
    truth = (rng.random((images, 1)) > steps).sum(axis=1).clip(max=classes - 1)
    names = None if classes <= 26 else tuple(map(str, range(classes)))
    return results(truth, softmax(logits * temperature), names)
