"""The line at the foot of a terminal, in a terminal that is a buffer."""

import io
import logging
import sys

import pytest

from custom_datasets.training.progress import LiveLine, can_show_a_line


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


def test_the_cursor_is_not_hidden_meanwhile(begin):
    terminal, _, line = begin()
    line.show('one')
    shown = terminal.getvalue()
    line.close()
    assert shown.rfind('\x1b[?25h') > shown.rfind('\x1b[?25l')


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
