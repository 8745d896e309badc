"""Running the commands as a user does: each in a process of its own."""

import os
import signal
import subprocess
import sys

import pytest

from custom_datasets.cli import INTERRUPTED
from tests.leaves import ROOT


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
