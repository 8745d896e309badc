"""The demo learns: what `make demo` runs after the set-up, from end to end."""

import json
import re
from pathlib import Path

import cv2
import pytest

from custom_datasets.demo import ap_table


def test_table_has_each_class_and_the_mean():
    metrics = {'pascal_voc/AP50': 0.5, 'pascal_voc/AP50_a b': 0.25, 'time': 1.0}
    assert ap_table(metrics) == 'a b        0.250\narea-AP50  0.500'


def test_demo_reaches_its_ap_and_paints(run, tmp_path):
    done = run('demo.py', '--data-root', tmp_path / 'd', '--work-dir', tmp_path / 'w')
    assert done.returncode == 0, done.stderr[-3000:]
    table = dict(re.findall(r'^(\S+)  +([\d.]+)$', done.stdout, re.MULTILINE))
    assert list(table)[-4:] == ['RBC', 'WBC', 'Platelets', 'area-AP50']
    assert float(table['area-AP50']) >= 0.6
    painted = re.search(r'^painted predictions: (.+\.png)', done.stdout, re.MULTILINE)
    assert cv2.imread(str(Path(tmp_path, painted[1]))).size
    assert f'\nreport: {tmp_path}/w/report.html\n' in done.stdout
    report = json.loads((tmp_path / 'w/report.json').read_text())
    assert report['overall']['area_ap50']['value'] == pytest.approx(
        float(table['area-AP50']), abs=6e-4
    )
