"""The demo learns: what `make demo` runs after the set-up, from end to end."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from custom_datasets.cli import INTERRUPTED
from custom_datasets.demo import ap_table
from tests.leaves import ROOT


def test_table_has_each_class_and_the_mean():
    metrics = {'pascal_voc/AP50': 0.5, 'pascal_voc/AP50_a b': 0.25, 'time': 1.0}
    assert ap_table(metrics) == 'a b        0.250\narea-AP50  0.500'


def test_ctrl_c_leaves_the_training_time_to_close_its_record(tmp_path):
    # Python's own subprocess.run kills a child a quarter of a second after Ctrl-C.
    tool = tmp_path / 'tools/train.py'
    tool.parent.mkdir()
    tool.write_text(
        'import time\n'
        'from pathlib import Path\n'
        'try:\n'
        '    print("training", flush=True)\n'
        '    time.sleep(60)\n'
        'except KeyboardInterrupt:\n'
        '    time.sleep(1)\n'
        f'    Path({str(tmp_path)!r}, "closed").touch()\n'
    )
    code = (
        'import pathlib, sys\n'
        'from custom_datasets import cli, demo\n'
        f'here = {str(tmp_path)!r}\n'
        'demo.ROOT = pathlib.Path(here)\n'
        'sys.exit(cli.run_command(lambda: demo.run_demo(here, here)))\n'
    )
    with subprocess.Popen(
        [sys.executable, '-c', code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert any(line == 'training\n' for line in process.stdout)
        os.killpg(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert error == 'Interrupted; nothing is half-written; run the same command again\n'
    assert process.returncode == INTERRUPTED
    assert (tmp_path / 'closed').exists()


def test_demo_reaches_its_ap_and_what_readme_says_of_it_works(run, tmp_path):
    done = run('demo.py')
    assert done.returncode == 0, done.stderr[-3000:]
    table = dict(re.findall(r'^(\S+)  +([\d.]+)$', done.stdout, re.MULTILINE))
    assert list(table)[-4:] == ['RBC', 'WBC', 'Platelets', 'area-AP50']
    assert float(table['area-AP50']) >= 0.6
    painted = re.search(r'^painted predictions: (.+\.png)', done.stdout, re.MULTILINE)
    assert cv2.imread(str(Path(tmp_path, painted[1]))).size
    assert '\nreport: work_dirs/sample/report.html\n' in done.stdout
    report = json.loads((tmp_path / 'work_dirs/sample/report.json').read_text())
    assert report['overall']['area_ap50']['value'] == pytest.approx(
        float(table['area-AP50']), abs=6e-4
    )
    use_it(run, tmp_path, report['thresholds']['overall']['threshold'])


def use_it(run, folder, threshold):
    """Do what README's chapter of that name says, as it is printed there."""
    chapter = (ROOT / 'README.md').read_text().split('\n## Use it\n')[1]
    code = re.search(r'```python\n(.*?)```', chapter, re.DOTALL)[1]
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.match(r"\(('(RBC|WBC|Platelets)',? ?)+\) \[\[", done.stdout)
    assert cv2.imread(str(folder / 'painted.jpg')).size

    command = re.search(r'^python tools/(predict\.py .*)$', chapter, re.MULTILINE)[1]
    done = run(*command.split())
    assert done.returncode == 0, done.stderr[-3000:]
    assert f'(best); threshold {threshold:g}, chosen on the validation' in done.stderr
    (out,) = (folder / 'work_dirs/sample/predictions').iterdir()
    images = len(list((folder / 'data/sample/JPEGImages').iterdir()))
    assert len(list((out / 'painted').glob('*.jpg'))) == images
    assert len(list((out / 'labels_voc/Annotations').glob('*.xml'))) == images
    assert {path.name for path in (out / 'crops').iterdir()} == {
        'RBC',
        'WBC',
        'Platelets',
    }
    text = (out / 'predictions.csv').read_text(encoding='utf-8-sig')
    assert text.splitlines()[0].startswith('image,name,score,')
