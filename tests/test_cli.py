"""What the commands share."""

import argparse
import io
import subprocess
import sys

import pytest
from rich import console

from custom_datasets.cli import (
    add_cfg_options,
    number,
    parse_options,
    progress_bar,
    run_command,
)
from custom_datasets.errors import UserError
from tests.leaves import ROOT


def test_progress_is_a_line_a_quarter_where_there_is_no_terminal(capsys):
    with progress_bar('reading') as progress:
        for done in range(1, 201):
            progress(done, 200)
    lines = [f'reading: {done} of 200' for done in (50, 100, 150, 200)]
    assert capsys.readouterr().err.splitlines() == lines


def test_few_files_need_no_lines(capsys):
    with progress_bar('reading') as progress:
        progress(8, 8)
    assert not capsys.readouterr().err


def test_a_terminal_gets_a_bar(monkeypatch):
    terminal = io.StringIO()
    real = console.Console
    monkeypatch.setattr(
        console, 'Console', lambda **_: real(file=terminal, force_terminal=True)
    )
    with progress_bar('reading') as progress:
        progress(100, 200)
    assert 'reading' in terminal.getvalue()
    assert '50%' in terminal.getvalue()


@pytest.mark.parametrize(('result', 'out'), [('done', 'done\n'), (None, '')])
def test_a_command_prints_what_it_returns(capsys, result, out):
    assert run_command(lambda: result) == 0
    assert capsys.readouterr().out == out


def test_an_error_is_a_sentence_and_a_status(capsys):
    def fail():
        raise UserError('a.xml: broken')

    assert run_command(fail) == 1
    assert capsys.readouterr().err == 'error: a.xml: broken\n'


@pytest.mark.parametrize(
    ('kept', 'said'),
    [
        ((), 'nothing is half-written; run the same command again'),
        (('a is kept',), 'a is kept'),
    ],
)
def test_ctrl_c_is_a_sentence_and_a_status(capsys, kept, said):
    def interrupted():
        raise KeyboardInterrupt(*kept)

    assert run_command(interrupted) == 130
    assert capsys.readouterr().err == f'Interrupted; {said}\n'


def test_settings_are_read_as_the_stock_scripts_do():
    assert parse_options(['a.b=1', 'c=x,y', 'd="[1, 2]"']) == {
        'a.b': 1,
        'c': ['x', 'y'],
        'd': [1, 2],
    }
    assert parse_options([]) == {}


@pytest.mark.parametrize(
    ('limits', 'good', 'bad', 'what'),
    [
        (
            (2,),
            ['2', '99'],
            ['1', '-3', '2.5', 'two', ''],
            'whole number of at least 2',
        ),
        (
            (0,),
            ['0', '1.5', '1e9'],
            ['-0.1', 'nan', 'inf', 'x'],
            'number of at least 0',
        ),
        ((0, 1), ['0', '0.3', '1'], ['1.1', '-1', 'nan', ''], 'number from 0 to 1'),
    ],
)
def test_numbers_have_limits(limits, good, bad, what):
    read = number(*limits, whole='whole' in what)
    assert [read(text) for text in good] == [float(text) for text in good]
    for text in bad:
        with pytest.raises(
            argparse.ArgumentTypeError, match=f'{text}: needs a {what}$'
        ):
            read(text)


def test_a_parser_waits_for_no_import():
    """What comes before a command's work is not ready for Ctrl-C."""
    code = (
        'import argparse, sys\n'
        'from custom_datasets.cli import add_cfg_options\n'
        'parser = argparse.ArgumentParser()\n'
        'add_cfg_options(parser)\n'
        'assert parser.parse_args([]).cfg_options == {}\n'
        'sys.exit("mmengine" in sys.modules)\n'
    )
    assert subprocess.run([sys.executable, '-c', code], cwd=ROOT).returncode == 0


def test_options_as_text_stay_and_need_a_value():
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_cfg_options(parser, as_text=True)
    assert parser.parse_args([]).cfg_options == []
    options = parser.parse_args(['--cfg-options', 'a.b=1', 'c=x,y']).cfg_options
    assert options == ['a.b=1', 'c=x,y']
    with pytest.raises(argparse.ArgumentError, match='c: needs KEY=VALUE'):
        parser.parse_args(['--cfg-options', 'c'])


def test_a_report_is_printed_in_any_encoding(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding='cp949')
    monkeypatch.setattr(sys, 'stdout', stream)
    assert run_command(lambda: 'caf\u00e9 한') == 0
    stream.flush()
    assert stream.buffer.getvalue().decode('cp949') == 'caf\\xe9 한\n'
