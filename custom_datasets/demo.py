"""The demo: draw a sample, train on it, test it, report the result."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from custom_datasets.errors import UserError
from custom_datasets.files import new_folder
from custom_datasets.samples.boxes import draw_bccd
from custom_datasets.text import aligned

ROOT = Path(__file__).resolve().parents[1]
CONFIG = 'configs/sample/retinanet_r18_fpn_1xb8-12e_sample.py'


def run_demo(data_root: str, work_dir: str) -> str:
    """Train, test and report on drawn data with the commands a user would type.

    The sample is drawn unless ``data_root`` exists. Returns the table of the test
    split, and where predictions and report are.
    """
    if not os.path.exists(data_root):
        with new_folder(data_root) as folder:
            draw_bccd(folder)
    config = str(ROOT / CONFIG)
    data = ('--cfg-options', f'data_root={data_root}')
    _run('train.py', config, '--work-dir', work_dir, *data)
    checkpoint = (Path(work_dir) / 'last_checkpoint').read_text().strip()
    test_dir = os.path.join(work_dir, 'test')
    where = ('--work-dir', test_dir, '--show-dir', 'painted')
    _run('test.py', config, checkpoint, *where, *data)
    _run('analysis_tools/report.py', config, checkpoint, *data)
    written = max(Path(test_dir).glob('*/*.json'), key=os.path.getmtime)
    painted = sorted((written.parent / 'painted').glob('*.png'))
    table = ap_table(json.loads(written.read_text()))
    return (
        f'{table}\n\npainted predictions: {painted[0]} and {len(painted) - 1} more\n'
        f'report: {os.path.join(work_dir, "report.html")}'
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


def _run(tool: str, *arguments: str) -> None:
    command = [sys.executable, str(ROOT / 'tools' / tool), *arguments]
    print('+', ' '.join(command), flush=True)
    with subprocess.Popen(command) as process:
        try:
            status = process.wait()
        except KeyboardInterrupt:
            # Ctrl-C reaches the command, too, which writes down what it did.
            process.wait()
            raise
    if status:
        raise UserError(f'tools/{tool} ended with status {status}')
