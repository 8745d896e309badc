"""Running the commands as a user does, and a run that several tests look at."""

import json
import os
import signal
import subprocess
import sys

import pytest

from custom_datasets.cli import INTERRUPTED
from tests.leaves import ROOT, SAMPLE, small_run
from tools import test as test_tool
from tools import train as train_tool
from tools.analysis_tools import report as report_tool


@pytest.fixture
def run(tmp_path):
    """Run a tool in an empty folder; returns the finished process."""

    def run_tool(tool, *arguments, **environment):
        command = [sys.executable, str(ROOT / 'tools' / tool), *map(str, arguments)]
        if tool.endswith('.sh'):
            command = ['bash', *command[1:]]
        return subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, 'PYTHON': sys.executable, **environment},
            capture_output=True,
            text=True,
            timeout=600,
        )

    return run_tool


@pytest.fixture
def interrupt(tmp_path):
    """Send Ctrl-C to a tool once it has printed a line, and wait for its end."""

    def interrupt_tool(tool, arguments, line):
        with subprocess.Popen(
            [sys.executable, str(ROOT / 'tools' / tool), *arguments],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            for printed in process.stdout:
                if printed.startswith(line):
                    process.send_signal(signal.SIGINT)
                    break
            _, error = process.communicate(timeout=100)
        said = error.splitlines()[-1]
        assert said.startswith('Interrupted; ')
        assert said.endswith(
            ' keeps what is done; run the same command again to continue'
        )
        assert 'Traceback' not in error
        assert process.returncode == INTERRUPTED

    return interrupt_tool


def times(folder):
    """When each file was written."""
    return {
        path: path.stat().st_mtime_ns for path in folder.rglob('*') if path.is_file()
    }


class Trained:
    """A leaf that was trained, tested and reported by the commands.

    Attributes:
        leaf: Its config.
        options: What ``--cfg-options`` sets.
        folder: The work directory.
        checkpoint: The last one.
        predictions: What ``tools/test.py --out`` wrote.
        logged: The metrics that ``tools/test.py`` wrote into its log.
    """

    def __init__(self, leaf, options, folder, epochs):
        self.leaf, self.folder = str(leaf), folder / 'run'
        options = [*options, f'train_cfg.val_interval={epochs}']
        self.options = ['--cfg-options', *options, f'train_cfg.max_epochs={epochs}']
        self.checkpoint = str(self.folder / f'epoch_{epochs}.pth')
        self.predictions = str(folder / 'predictions.pkl')
        assert self.train() == 0
        assert self.test(folder / 'test', '--out', self.predictions) == 0
        (log,) = (folder / 'test').glob('*/*.json')
        self.logged = json.loads(log.read_text())

    def train(self, *arguments):
        where = ['--work-dir', str(self.folder), *arguments]
        return train_tool.main([self.leaf, *where, *self.options])

    def test(self, work_dir, *arguments):
        where = ['--work-dir', str(work_dir), *arguments]
        return test_tool.main([self.leaf, self.checkpoint, *where, *self.options])

    def report(self, *arguments):
        return report_tool.main([self.leaf, *arguments, *self.options])

    def content(self, folder=None):
        return json.loads(((folder or self.folder) / 'report.json').read_text())


@pytest.fixture(scope='session')
def cells(bccd_root, tmp_path_factory):
    """A detector of drawn cells after three epochs, and its report.

    Copy its folder before you write into it.
    """
    options = [o for o in small_run(SAMPLE, bccd_root) if '.indices=' not in o]
    options.append('optim_wrapper.optimizer.lr=0.004')
    run = Trained(SAMPLE, options, tmp_path_factory.mktemp('cells'), 3)
    assert run.report(run.checkpoint) == 0
    return run
