"""What the live line says."""

from types import SimpleNamespace

import pytest
from mmengine.hooks import CheckpointHook
from mmengine.logging import HistoryBuffer

from custom_datasets.training import progress
from custom_datasets.training.progress import ProgressHook


class Line:
    def __init__(self, logger):
        self.shown, self.said, self.tables, self.closed = [], [], False, False

    def is_due(self):
        return True

    def show(self, text):
        self.shown.append(text)

    def say(self, text):
        self.said.append(text)

    def close(self):
        self.closed = True


@pytest.fixture
def hook(monkeypatch):
    monkeypatch.setattr(progress, 'can_show_a_line', lambda: True)
    monkeypatch.setattr(progress, 'LiveLine', Line)
    monkeypatch.setattr(progress.time, 'monotonic', lambda: 10.0)
    return ProgressHook()


def runner(**changes):
    info = {
        'rank': 0,
        'iter': 12,
        'epoch': 3,
        'max_epochs': 6,
        'max_iters': 24,
        'world_size': 1,
        'logger': None,
        'work_dir': '/work/fruit',
        'train_loop': SimpleNamespace(),
        'train_dataloader': range(4),
        'val_dataloader': range(8),
        'hooks': [CheckpointHook(save_best='voc/mAP', rule='greater')],
        'message_hub': SimpleNamespace(
            runtime_info={},
            log_scalars={
                'train/loss': HistoryBuffer([3.0, 1.0], [1, 1]),
                'train/lr': HistoryBuffer([0.001], [1]),
            },
        ),
    }
    return SimpleNamespace(**{**info, **changes})


def test_a_step_shows_epoch_loss_rate_and_time_left(hook, monkeypatch):
    hook.before_train(runner(iter=10))
    monkeypatch.setattr(progress.time, 'monotonic', lambda: 16.0)
    hook.after_train_iter(runner(iter=12), 1, {'inputs': [0, 0]})
    assert hook._line.shown[-1] == (
        # Three steps took 6 s, and 11 are to come.
        'epoch 4/6  [========        ] 2/4  loss 2  lr 0.001  22 s left'
    )


def test_iterations_are_counted_where_epochs_are_not(hook):
    class IterBasedTrainLoop:
        pass

    counting = runner(train_loop=IterBasedTrainLoop(), iter=5)
    hook.before_train(counting)
    hook.after_train_iter(counting, 5, {'inputs': [0]})
    assert hook._line.shown[-1].startswith('iteration [====            ] 6/24  loss')


def test_validations_tell_the_best(hook):
    hook.before_train(runner())
    said = []
    for value in (0.5, 0.25, 0.75):
        hook.before_val_epoch(runner())
        assert hook._line.tables
        hook.after_val_iter(runner(), 3)
        hook.after_val_epoch(runner(), {'voc/mAP': value})
        assert not hook._line.tables
        said.append(hook._line.said[-1])
    assert hook._line.shown[-1] == 'epoch 3/6, validation  [========        ] 4/8'
    assert said == [
        'epoch 3/6: voc/mAP 0.5, the best so far',
        'epoch 3/6: voc/mAP 0.25, best 0.5',
        'epoch 3/6: voc/mAP 0.75, the best so far',
    ]
    hook.after_train_iter(runner(), 1, {'inputs': [0]})
    assert hook._line.shown[-1].endswith('  best 0.75')


def test_a_resumed_run_knows_the_best_of_before(hook):
    resumed = runner()
    resumed.message_hub.runtime_info['best_score'] = 0.9
    hook.before_train(resumed)
    hook.after_val_epoch(resumed, {'voc/mAP': 0.5})
    assert hook._line.said == ['epoch 3/6: voc/mAP 0.5, best 0.9']


def test_less_can_be_better(hook):
    hooks = [CheckpointHook(save_best='error', rule='less')]
    hook.before_train(runner(hooks=hooks))
    for value in (0.5, 0.75, 0.25):
        hook.after_val_epoch(runner(hooks=hooks), {'error': value})
    assert [text.partition(', ')[2] for text in hook._line.said] == [
        'the best so far',
        'best 0.5',
        'the best so far',
    ]


@pytest.mark.parametrize('end', ['after_train', 'error'])
def test_the_line_goes_at_the_end(hook, end):
    hook.before_train(runner())
    line = hook._line
    if end == 'error':
        hook.on_error(runner(), KeyboardInterrupt())
        assert line.said == []
    else:
        hook.after_train(runner())
        assert line.said == ['epoch 3/6: trained in 0.0 s; see /work/fruit/run.md']
    assert line.closed


def test_only_the_first_process_and_a_terminal_have_one(hook, monkeypatch):
    hook.before_train(runner(rank=1))
    assert hook._line is None
    monkeypatch.setattr(progress, 'can_show_a_line', lambda: False)
    hook.before_train(runner())
    assert hook._line is None
    # Nothing is drawn, and nothing fails.
    hook.after_train_iter(runner(), 0, {'inputs': [0]})
    hook.before_val_epoch(runner())
    hook.after_val_iter(runner(), 0)
    hook.after_val_epoch(runner(), {'voc/mAP': 1})
    hook.after_train(runner())
