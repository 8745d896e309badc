"""The demo learns: what `make demo` runs after the set-up, from end to end."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import httpx
import pytest

from custom_datasets import demo
from custom_datasets.cli import INTERRUPTED
from custom_datasets.config import read_config
from custom_datasets.demo import ap_table
from custom_datasets.errors import UserError
from tests.leaves import ROOT
from tests.serving.processes import Server


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
        assert any(line.startswith('train: python ') for line in process.stdout)
        log = tmp_path / 'demo.log'
        deadline = time.monotonic() + 60
        while not log.exists() or 'training' not in log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert error == 'Interrupted; nothing is half-written; run the same command again\n'
    assert process.returncode == INTERRUPTED
    assert (tmp_path / 'closed').exists()


def test_what_fails_is_shown_in_full(tmp_path, monkeypatch, capsys):
    (tmp_path / 'tools').mkdir()
    (tmp_path / 'tools/train.py').write_text(
        'import sys\n'
        'print("\\n" * 100)\n'
        'print("Epoch(val) [3][2/2]    pascal_voc/mAP: 0.5  pascal_voc/AP50: 0.5")\n'
        'raise ValueError("no memory")\n'
    )
    monkeypatch.setattr(demo, 'ROOT', tmp_path)
    with pytest.raises(UserError) as error:
        demo.run_demo(str(tmp_path), str(tmp_path / 'run'))
    text = str(error.value)
    assert text.startswith('tools/train.py ended with status 1; all that it said is in')
    assert 'Traceback (most recent' in text and text.endswith('ValueError: no memory')
    assert '  epoch 3 of 12: mAP 0.5\n' in capsys.readouterr().out
    assert 'no memory' in (tmp_path / 'run/demo.log').read_text()


def test_the_epochs_are_those_of_the_config():
    cfg = read_config(str(ROOT / demo.CONFIG))
    assert cfg.train_cfg.max_epochs == demo.EPOCHS


def test_demo_reaches_its_ap_and_what_readme_says_of_it_works(run, tmp_path):
    done = run('demo.py')
    assert done.returncode == 0, done.stderr[-3000:]
    table = dict(re.findall(r'^(\S+)  +([\d.]+)$', done.stdout, re.MULTILINE))
    assert list(table)[-4:] == ['RBC', 'WBC', 'Platelets', 'area-AP50']
    assert float(table['area-AP50']) >= 0.6
    painted = re.search(r'^painted predictions: (.+\.png)', done.stdout, re.MULTILINE)
    assert cv2.imread(str(Path(tmp_path, painted[1]))).size
    assert '\nreport: work_dirs/sample/report.html\n' in done.stdout
    # A newcomer's terminal, where the stock scripts print 1,500 lines.
    assert len(done.stdout.splitlines()) + len(done.stderr.splitlines()) < 45
    assert re.search(r'^  epoch 12 of 12: mAP 0\.\d+$', done.stdout, re.MULTILINE)
    assert 'Epoch(train) [12]' in (tmp_path / 'work_dirs/sample/demo.log').read_text()
    report = json.loads((tmp_path / 'work_dirs/sample/report.json').read_text())
    assert report['overall']['area_ap50']['value'] == pytest.approx(
        float(table['area-AP50']), abs=6e-4
    )
    threshold = report['thresholds']['overall']['threshold']
    use_it(run, tmp_path, threshold)
    serve_it(tmp_path, threshold)


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


def serve_it(folder, threshold):
    """Do what README's chapter of that name says, but for ports that may be taken."""
    chapter = (ROOT / 'README.md').read_text().split('\n## Serve it\n')[1]
    lines = re.search(r'```bash\n(.*?)```', chapter, re.DOTALL)[1].splitlines()
    install, serve, page, curl = (shlex.split(line, comments=True) for line in lines)
    assert (ROOT / install[-1]).is_file()
    assert curl[:2] == ['curl', '-F']
    field, address = curl[2:]
    image = field.removeprefix('image=@')
    asked = urlsplit(address)
    with Server(*serve[2:], cwd=folder) as server:
        files = {'image': (folder / image).read_bytes()}
        url = f'{server.until_ready().address}{asked.path}?{asked.query}'
        tags = httpx.post(url, files=files).raise_for_status().json()['tags']
        assert tags and set(tags) <= {'RBC', 'WBC', 'Platelets'}
        assert all(tag['score'] >= threshold for tag in tags.values())
    with Server(*page[2:], tool=Path(page[1]).name, cwd=folder) as server:
        server.wait_for(lambda: server.get('/')[0] == 200)
        assert 'gradio' in server.get('/')[1]
