"""The search for a recipe, on values that are written by hand."""

import math

import pytest

from custom_datasets.predicting.recipes import (
    IOUS,
    LEAST_GAIN,
    MOST_TRIES,
    WEIGHTS,
    Freedom,
    Recipe,
    search,
)

START = Recipe('wbf', (1.0, 1.0, 1.0), 0.55)
ALL = Freedom(('wbf', 'nms', 'nmw'), IOUS, True)


def counted(value):
    """Return the value and the list of recipes that it is asked for."""
    asked = []

    def count(recipe):
        asked.append(recipe)
        return value(recipe)

    return count, asked


def far_from(*weights, method='nmw', iou=0.7):
    """Return a value that is largest, 1, at one recipe, and falls on all sides."""

    def value(recipe):
        gaps = [abs(a - b) for a, b in zip(recipe.weights, weights, strict=True)]
        off = 0.1 * (recipe.method != method) + abs(recipe.iou - iou)
        return 1 - off - 0.1 * sum(gaps)

    return value


def test_finds_the_one_that_is_best():
    value, asked = counted(far_from(1.0, 0.25, 0.5))
    found = search(value, START, ALL)
    assert found.recipe == Recipe('nmw', (1.0, 0.25, 0.5), 0.7)
    assert found.after == pytest.approx(1)
    # 0.1 for the method, 0.15 for the threshold, 0.1 * (0.75 + 0.5) for weights.
    assert found.before == pytest.approx(1 - 0.1 - 0.15 - 0.125)
    assert found.tried == len(asked) == len(set(asked))
    assert all(max(recipe.weights) == 1 for recipe in asked)


def test_a_useless_model_may_lose_all_its_weight():
    found = search(far_from(1.0, 1.0, 0.0, method='wbf', iou=0.55), START, ALL)
    assert found.recipe == Recipe('wbf', (1.0, 1.0, 0.0), 0.55)


@pytest.mark.parametrize('best', [(0.25, 1.0), (0.0, 1.0)])
def test_the_largest_weight_can_be_another_one_s(best):
    start = Recipe('mean', (1.0, 1.0))
    value, asked = counted(lambda recipe: float(recipe.weights == best))
    found = search(value, start, Freedom((), (), True))
    assert found.recipe.weights == best
    # A weight of 4 beside 1 is 1 beside 0.25; and one of the two is above 0.
    assert {recipe.weights for recipe in asked} <= {
        (a / max(a, b), b / max(a, b)) for a in WEIGHTS for b in WEIGHTS if a + b
    }


def test_what_is_given_stays():
    value, asked = counted(far_from(1.0, 0.25, 0.5))
    found = search(value, START, Freedom(('wbf', 'nmw'), (), False))
    assert found.recipe == Recipe('nmw', START.weights, START.iou)
    assert set(asked) == {START, found.recipe}
    fixed, asked = counted(lambda recipe: 0.5)
    nothing = search(fixed, START, Freedom((), (), False))
    assert nothing == (START, 0.5, 0.5, 1)
    assert asked == [START]


def test_one_model_has_no_weight_to_find():
    one = Recipe('soft-nms', (1.0,), 0.55)
    value, asked = counted(lambda recipe: recipe.iou)
    found = search(value, one, Freedom(('soft-nms',), IOUS, True))
    assert found.recipe == Recipe('soft-nms', (1.0,), max(IOUS))
    assert len(asked) == len(IOUS)


@pytest.mark.parametrize(('share', 'moves'), [(0.9, False), (1.1, True)])
def test_a_gain_within_noise_changes_nothing(share, moves):
    better = Recipe('nms', START.weights, START.iou)
    values = {START: 0.5, better: 0.5 + share * LEAST_GAIN}
    found = search(values.__getitem__, START, Freedom(('wbf', 'nms'), (), False))
    assert found.recipe == (better if moves else START)
    assert found.after == (values[better] if moves else 0.5)


def test_goes_on_while_a_round_changes_something():
    # The threshold helps only once the weights are found, which come behind it.
    def value(recipe):
        right = recipe.weights == (0.0, 1.0, 1.0)
        return 0.5 * right + (0.4 if right and recipe.iou == 0.4 else 0)

    found = search(value, START, ALL)
    assert found.recipe == Recipe('wbf', (0.0, 1.0, 1.0), 0.4)


def test_ends_and_says_how_far_it_is():
    # Each recipe is better than all before: the search has no reason to stop.
    said, worth = [], iter(range(10**6))
    start = Recipe('wbf', (1.0,) * 12, 0.55)
    found = search(
        lambda recipe: next(worth), start, ALL, lambda *done: said.append(done)
    )
    assert found.tried == MOST_TRIES
    assert found.after == MOST_TRIES - 1
    assert said == [(count, MOST_TRIES) for count in range(2, MOST_TRIES + 1)]


def test_a_value_that_is_not_defined_keeps_the_start():
    found = search(lambda recipe: math.nan, START, ALL)
    assert found.recipe == START
    assert math.isnan(found.after)
