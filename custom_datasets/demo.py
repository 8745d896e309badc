"""The demo: draw a sample, train on it, test it, report the result."""

import json
import os
import re
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from custom_datasets.cli import progress_bar
from custom_datasets.errors import UserError
from custom_datasets.files import new_folder, short_path
from custom_datasets.samples.boxes import draw_bccd
from custom_datasets.text import aligned

ROOT = Path(__file__).resolve().parents[1]
CONFIG = 'configs/sample/retinanet_r18_fpn_1xb8-12e_sample.py'
EPOCHS = 12
"""Of that config."""

Progress = Callable[[int, int | None], None]


def run_demo(data_root: str, work_dir: str) -> str:
    """Train, test and report on drawn data with the commands a user would type.

    The sample is drawn unless ``data_root`` exists. Returns the table of the test
    split, where predictions and report are, and what to do next. What the commands
    print goes to ``demo.log`` in ``work_dir``.
    """
    if not os.path.exists(data_root):
        with new_folder(data_root) as folder:
            draw_bccd(folder)
    config = str(ROOT / CONFIG)
    data = ('--cfg-options', f'data_root={data_root}')
    log = os.path.join(work_dir, 'demo.log')
    os.makedirs(work_dir, exist_ok=True)
    print(f'all that the steps say: {log}')
    _run('train', log, 'train.py', config, '--work-dir', work_dir, *data)
    checkpoint = (Path(work_dir) / 'last_checkpoint').read_text().strip()
    test_dir = os.path.join(work_dir, 'test')
    where = ('--work-dir', test_dir, '--show-dir', 'painted')
    _run('test', log, 'test.py', config, checkpoint, *where, *data)
    _run('report', log, 'analysis_tools/report.py', config, checkpoint, *data)
    written = max(Path(test_dir).glob('*/*.json'), key=os.path.getmtime)
    painted = sorted((written.parent / 'painted').glob('*.png'))
    table = ap_table(json.loads(written.read_text()))
    return (
        f'{table}\n\npainted predictions: {painted[0]} and {len(painted) - 1} more\n'
        f'report: {os.path.join(work_dir, "report.html")}\n\n'
        'Next: open the report in a browser, and use the model on an image:\n'
        f'  python tools/predict.py {work_dir} IMAGE\n'
        'Then train on your own data: docs/your_data.md'
    )


def ap_table(metrics: Mapping[str, float]) -> str:
    """Return a table of each class's AP50 and their mean, from a test's metrics."""
    prefix = 'pascal_voc/AP50_'
    rows = [
        (name.removeprefix(prefix), value)
        for name, value in metrics.items()
        if name.startswith(prefix)
    ]
    rows.append(('area-AP50', metrics['pascal_voc/AP50']))
    return '\n'.join(aligned([[name, f'{value:.3f}'] for name, value in rows]))


def _run(what: str, log: str, tool: str, *arguments: str) -> None:
    """Run a tool, whose output goes to the log; show how far it is.

    Raises a UserError with the last lines of the output where it fails.
    """
    words = ' '.join(['python', f'tools/{tool}', *map(short_path, arguments)])
    print(f'{what}: {words}', flush=True)
    command = [sys.executable, str(ROOT / 'tools' / tool), *arguments]
    last: deque[str] = deque(maxlen=_LAST_LINES)
    with (
        open(log, 'a', encoding='utf-8') as file,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding='utf-8',
            errors='replace',
        ) as process,
        progress_bar(what, 'steps') as progress,
    ):
        assert process.stdout
        file.write(f'+ {words}\n')

        def follow(lines: Iterable[str]) -> None:
            for line in lines:
                file.write(line)
                file.flush()
                last.append(line)
                _show(line, progress)

        try:
            follow(process.stdout)
        except KeyboardInterrupt:
            # Ctrl-C reaches the command, too, which writes down what it did.
            follow(process.stdout)
            process.wait()
            raise
    if process.returncode:
        raise UserError(
            f'tools/{tool} ended with status {process.returncode}; all that it said is '
            f'in {log}, and last:\n{"".join(last).rstrip()}'
        )


def _show(line: str, progress: Progress) -> None:
    """Show a step of a training in a line of its own, and print what an epoch gave."""
    if step := _STEP.search(line):
        epoch, done, steps = map(int, step.groups())
        progress((epoch - 1) * steps + done, EPOCHS * steps)
    elif result := _RESULT.search(line):
        print(f'  epoch {result[1]} of {EPOCHS}: mAP {result[2]}', flush=True)


_LAST_LINES = 60
_STEP = re.compile(r'Epoch\(train\) +\[ *(\d+)\]\[ *(\d+)/(\d+)\]')
_RESULT = re.compile(r'Epoch\(val\) +\[ *(\d+)\].* pascal_voc/mAP: ([\d.]+)')
