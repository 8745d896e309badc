"""The live line: what it says, how it is drawn, and the pace that it tells."""

import io
import logging
import sys
from types import SimpleNamespace

import pytest
from mmengine.hooks import CheckpointHook
from mmengine.logging import HistoryBuffer

from custom_datasets.training import progress
from custom_datasets.training.progress import (
    LiveLine,
    Pace,
    ProgressHook,
    can_show_a_line,
)


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


@pytest.mark.parametrize(
    ('rule', 'values', 'best'),
    [('greater', (0.5, 0.25, 0.75), 0.75), ('less', (0.5, 0.75, 0.25), 0.25)],
)
def test_validations_tell_the_best(hook, rule, values, best):
    run = runner(hooks=[CheckpointHook(save_best='error', rule=rule)])
    hook.before_train(run)
    for value in values:
        hook.before_val_epoch(run)
        assert hook._line.tables
        hook.after_val_iter(run, 3)
        hook.after_val_epoch(run, {'error': value})
        assert not hook._line.tables
    assert hook._line.shown[-1] == 'epoch 3/6, validation  [========        ] 4/8'
    assert hook._line.said == [
        'epoch 3/6: error 0.5, the best so far',
        f'epoch 3/6: error {values[1]}, best 0.5',
        f'epoch 3/6: error {best}, the best so far',
    ]
    hook.after_train_iter(run, 1, {'inputs': [0]})
    assert hook._line.shown[-1].endswith(f'  best {best}')


def test_a_resumed_run_knows_the_best_of_before(hook):
    resumed = runner()
    resumed.message_hub.runtime_info['best_score'] = 0.9
    hook.before_train(resumed)
    hook.after_val_epoch(resumed, {'voc/mAP': 0.5})
    assert hook._line.said == ['epoch 3/6: voc/mAP 0.5, best 0.9']


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


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def begin(monkeypatch, tmp_path):
    """Open a terminal; done in the test itself, since pytest sets stdout too."""
    monkeypatch.setenv('TERM', 'xterm')
    monkeypatch.setenv('COLUMNS', '60')

    def open_terminal():
        terminal = Terminal()
        monkeypatch.setattr(sys, 'stdout', terminal)
        logger = logging.Logger('run')
        logger.addHandler(logging.StreamHandler(terminal))
        logger.addHandler(logging.FileHandler(tmp_path / 'run.log'))
        return terminal, logger, LiveLine(logger)

    return open_terminal


def test_the_line_is_drawn_in_its_own_place(begin):
    terminal, _, line = begin()
    line.show('one')
    line.show('two')
    shown = terminal.getvalue()
    # The cursor is not hidden meanwhile: what is killed could not bring it back.
    assert shown.rfind('\x1b[?25h') > shown.rfind('\x1b[?25l')
    line.close()
    shown = terminal.getvalue()
    assert 'one\r\x1b[2Ktwo' in shown
    # Erased at the end, with the cursor to be seen.
    assert shown.endswith('\x1b[1A\x1b[2K')
    assert shown.rfind('\x1b[?25h') > shown.rfind('\x1b[?25l')
    assert sys.stdout is terminal


def test_a_long_line_is_cut(begin):
    terminal, _, line = begin()
    line.show('x' * 100)
    line.close()
    assert 'x' * 59 + '…' in terminal.getvalue()
    assert 'x' * 60 not in terminal.getvalue()


def test_prints_and_warnings_go_above(begin):
    terminal, logger, line = begin()
    line.show('one')
    print('printed')
    logger.warning('a warning')
    line.say('said')
    line.close()
    for text in ('printed', 'a warning', 'said'):
        assert f'one\r\x1b[2K{text}\n' in terminal.getvalue()


def test_only_tables_of_a_validation_are_shown_and_all_is_filed(begin, tmp_path):
    terminal, logger, line = begin()
    logger.info('step')
    logger.info('a dump\nof the config')
    line.tables = True
    logger.info('Epoch(val)')
    logger.info('\n+---+\n| a |')
    line.close()
    logger.info('afterwards')
    shown = terminal.getvalue()
    assert 'step' not in shown and 'a dump' not in shown and 'Epoch' not in shown
    assert '| a |' in shown and 'afterwards' in shown
    assert (tmp_path / 'run.log').read_text() == (
        'step\na dump\nof the config\nEpoch(val)\n\n+---+\n| a |\nafterwards\n'
    )


def test_what_pycocotools_prints_is_left_out(begin):
    terminal, _, line = begin()
    print('creating index...')
    print('DONE', end=' ')
    print('by me')
    print(' Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all ] = 0.1')
    sys.stdout.flush()
    line.close()
    shown = terminal.getvalue()
    assert 'creating index' not in shown and 'Average' not in shown
    assert 'DONE by me' in shown


def test_it_takes_a_terminal_that_can_do_it(monkeypatch):
    monkeypatch.setenv('TERM', 'xterm')
    monkeypatch.setattr(sys, 'stdout', Terminal())
    assert can_show_a_line()
    monkeypatch.setenv('TERM', 'dumb')
    assert not can_show_a_line()
    monkeypatch.setenv('TERM', 'xterm')
    monkeypatch.setattr(sys, 'stdout', io.StringIO())
    assert not can_show_a_line()


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pace(clock):
    return Pace(clock)


def step(pace, clock, waited, worked, images=4):
    clock.now += waited
    pace.data_came()
    clock.now += worked
    pace.step_done(images)


def test_nothing_is_known_before_the_first_step(pace):
    assert pace.images_per_second() is None
    assert pace.data_share is None
    assert (pace.steps, pace.seconds) == (0, 0)


def test_the_rate_is_the_median_without_the_first_step(pace, clock):
    step(pace, clock, 9, 1)
    assert pace.images_per_second() is None
    for seconds in (1, 2, 4):
        step(pace, clock, 0, seconds)
    assert pace.images_per_second() == 2  # Of 4, 2 and 1.
    assert pace.images_per_second(last=2) == 1.5
    assert pace.steps == 4


def test_waiting_for_data_is_a_share_of_all_steps(pace, clock):
    step(pace, clock, 3, 1)
    step(pace, clock, 0, 4)
    assert pace.data_share == 3 / 8
    assert pace.seconds == 8


def test_what_lies_between_epochs_does_not_count(pace, clock):
    step(pace, clock, 0, 1)
    clock.now += 1000
    pace.start()
    step(pace, clock, 1, 1)
    assert pace.seconds == 3
    assert pace.images_per_second() == 2
