"""Probabilities of several classifiers made into one."""

import math

import numpy as np
import pytest

from custom_datasets.predicting.fusion import POOLINGS, pool_scores
from tests.evaluation.class_results import softmax


def test_by_hand():
    scores = np.array([[[0.8, 0.2]], [[0.4, 0.6]]])
    # (0.8 + 3 * 0.4) / 4 = 0.5.
    mean = pool_scores(scores, np.array([1.0, 3.0]), 'mean')
    np.testing.assert_allclose(mean, [[0.5, 0.5]])
    # The roots of 0.8 * 0.4 and 0.2 * 0.6, divided by their sum.
    first, second = math.sqrt(0.32), math.sqrt(0.12)
    logits = pool_scores(scores, np.array([2.0, 2.0]), 'logits')
    wanted = [[first / (first + second), second / (first + second)]]
    np.testing.assert_allclose(logits, wanted)


def plain_mean(rows, weights):
    total = sum(weights)
    return [
        sum(w * row[k] for w, row in zip(weights, rows, strict=True)) / total
        for k in range(len(rows[0]))
    ]


def plain_logits(rows, weights):
    total = sum(weights)
    powers = [
        math.prod(row[k] ** (w / total) for w, row in zip(weights, rows, strict=True))
        for k in range(len(rows[0]))
    ]
    return [power / sum(powers) for power in powers]


@pytest.mark.parametrize('method', POOLINGS)
def test_agrees_with_plain_loops(method):
    rng = np.random.default_rng(0)
    models, images, classes = 3, 20, 5
    logits = rng.normal(size=(models * images, classes)) * 3
    scores = softmax(logits).reshape(models, images, classes)
    weights = [1.0, 0.25, 0.5]
    plain = {'mean': plain_mean, 'logits': plain_logits}[method]
    wanted = [plain(scores[:, image].tolist(), weights) for image in range(images)]
    pooled = pool_scores(scores, np.array(weights), method)
    np.testing.assert_allclose(pooled, wanted, rtol=1e-10)
    np.testing.assert_allclose(pooled.sum(axis=1), 1)


@pytest.mark.parametrize('method', POOLINGS)
def test_a_model_of_weight_zero_says_nothing(method):
    scores = np.array([[[0.7, 0.2, 0.1]], [[0.0, 0.0, 1.0]]])
    pooled = pool_scores(scores, np.array([0.5, 0.0]), method)
    np.testing.assert_allclose(pooled, [[0.7, 0.2, 0.1]])


def test_a_probability_of_zero_keeps_logits_finite():
    scores = np.array([[[1.0, 0.0]], [[0.5, 0.5]]])
    pooled = pool_scores(scores, np.ones(2), 'logits')
    # 0 counts as float32's smallest normal number, 2 ** -126: its root is 2 ** -63.
    np.testing.assert_allclose(pooled, [[1, 2.0**-63]], rtol=1e-9)
