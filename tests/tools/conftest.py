"""Running the commands as a user does: each in a process of its own."""

import os
import subprocess
import sys

import pytest

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
