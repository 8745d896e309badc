"""Going on with a cross-validation, and never with another one."""

import pytest

from custom_datasets.errors import UserError
from custom_datasets.runs.cross_validation import PLAN, Plan

SETTINGS = {'lr': '0.1', 'epochs': '12'}


def test_what_is_done_is_kept(tmp_path):
    plan = Plan(str(tmp_path), SETTINGS, 5, 'abc')
    assert plan.done == {}
    plan.finish(3, 'fold_3/epoch_12.pth')
    plan.finish(0, 'fold_0/epoch_12.pth')
    again = Plan(str(tmp_path), dict(SETTINGS), 5, 'abc')
    assert again.done == {0: 'fold_0/epoch_12.pth', 3: 'fold_3/epoch_12.pth'}


def train(tmp_path):
    (tmp_path / 'fold_1').mkdir(exist_ok=True)
    (tmp_path / 'fold_1/epoch_1.pth').touch()
    (tmp_path / 'fold_1/last_checkpoint').write_text('fold_1/epoch_1.pth')


def test_where_nothing_was_trained_other_settings_are_taken(tmp_path):
    Plan(str(tmp_path), {**SETTINGS, 'loss': 'focl'}, 5, 'abc')
    (tmp_path / 'fold_1').mkdir()
    Plan(str(tmp_path), {**SETTINGS, 'loss': 'focal'}, 5, 'abc').finish(1, 'x')
    again = Plan(str(tmp_path), {**SETTINGS, 'loss': 'focal'}, 5, 'abc')
    assert again.done == {1: 'x'}


def test_which_test_set_a_fold_has_predicted(tmp_path):
    plan = Plan(str(tmp_path), SETTINGS, 5, 'abc')
    plan.finish(1, 'x', 'old')
    assert Plan(str(tmp_path), SETTINGS, 5, 'abc').predicted == {1: 'old'}
    # Trained anew, it has predicted nothing.
    plan.finish(1, 'y')
    assert Plan(str(tmp_path), SETTINGS, 5, 'abc').predicted == {}


@pytest.mark.parametrize(
    ('settings', 'folds', 'digest', 'said'),
    [
        ({**SETTINGS, 'lr': '0.2'}, 5, 'abc', 'lr was 0.1 and is 0.2; give another'),
        ({**SETTINGS, 'new': '1'}, 5, 'abc', 'new was - and is 1; give another'),
        ({'lr': '0.1'}, 5, 'abc', 'epochs was 12 and is -; give another'),
        (SETTINGS, 4, 'xyz', 'there were 5 folds and are 4; give another'),
        (SETTINGS, 5, 'xyz', 'the lists of its folds have changed; give another'),
        (
            {**SETTINGS, **{f'k{index}': '' for index in range(7)}},
            5,
            'abc',
            'k4 was - and is ; and 2 more; give another',
        ),
    ],
)
def test_another_cross_validation_is_refused(tmp_path, settings, folds, digest, said):
    Plan(str(tmp_path), SETTINGS, 5, 'abc').finish(1, 'x')
    train(tmp_path)
    before = (tmp_path / PLAN).read_bytes()
    with pytest.raises(UserError, match='holds a cross-validation of other') as caught:
        Plan(str(tmp_path), settings, folds, digest)
    assert said in str(caught.value)
    assert (tmp_path / PLAN).read_bytes() == before


def test_folds_that_were_trained_by_hand_are_not_mixed_in(tmp_path):
    (tmp_path / 'fold_1').mkdir()
    with pytest.raises(UserError, match='has fold_1, which this command did not train'):
        Plan(str(tmp_path), SETTINGS, 5, 'abc')
    assert not (tmp_path / PLAN).exists()


@pytest.mark.parametrize('text', ['', '[]', '{"done": {}, "settings": {}}'])
def test_a_broken_note(tmp_path, text):
    (tmp_path / PLAN).write_text(text)
    with pytest.raises(UserError, match=f'{PLAN}: cannot be read'):
        Plan(str(tmp_path), SETTINGS, 5, 'abc')
