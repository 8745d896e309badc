"""The command that converts data sets, as a user runs it."""

import os
import subprocess
import sys

from custom_datasets.data.convert import read_source
from tests.data.drawing import draw, draw_voc, objects, voc_xml, write
from tests.leaves import ROOT
from tools.dataset_converters import convert

TOOL = 'dataset_converters/convert.py'


def test_a_folder_into_coco(run, tmp_path):
    voc = draw_voc(tmp_path / 'voc')
    done = run(TOOL, voc, 'out', '--to', 'coco')
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('voc -> coco: out\n')
    assert objects(read_source(str(tmp_path / 'out'))) == objects(read_source(str(voc)))


def test_errors_are_sentences(run, tmp_path):
    voc = draw_voc(tmp_path / 'voc')
    done = run(TOOL, voc, 'out', '--from', 'coco')
    assert (done.returncode, done.stdout) == (1, '')
    assert done.stderr == f'error: {voc}: no JSON file with images and categories\n'


def test_options_reach_the_conversion(tmp_path, capsys):
    draw(tmp_path / 'raw/a.jpg')
    write(tmp_path / 'raw/a.xml', voc_xml([('ant', (0, 2, 3, 4))]))
    write(tmp_path / 'raw/orphan.xml', voc_xml([]))
    arguments = [str(tmp_path / 'raw'), str(tmp_path / 'out'), '--to', 'coco']
    assert convert.main([*arguments, '--one-based']) == 1
    said = capsys.readouterr().err
    assert 'orphan.xml: there is no image' in said
    assert said.endswith('\ncorrect it, or leave it out with --skip-broken\n')
    assert convert.main([*arguments, '--one-based', '--skip-broken']) == 0
    box = ('ant', (0.0, 1.0, 3.0, 4.0))
    assert objects(read_source(str(tmp_path / 'out'))) == {'all': {'a': [box]}}
    assert convert.main([*arguments, '--skip-broken']) == 1
    assert convert.main([*arguments, '--skip-broken', '--overwrite']) == 0
    box = ('ant', (0.0, 2.0, 3.0, 4.0))
    assert objects(read_source(str(tmp_path / 'out'))) == {'all': {'a': [box]}}


STOPS_HALFWAY = """
import shutil, sys, time
from tools.dataset_converters.convert import main

copy, copied = shutil.copyfile, []

def stop(source, target):
    copy(source, target)
    copied.append(target)
    if len(copied) == 20:
        print('halfway', flush=True)
        time.sleep(600)

shutil.copyfile = stop
main(['raw', 'out'])
"""


def test_a_killed_conversion_leaves_no_data_set_and_starts_again(run, tmp_path):
    for number in range(40):
        draw(tmp_path / f'raw/images/{number}.png')
        write(tmp_path / f'raw/labels/{number}.txt', '0 0.5 0.5 1 1\n')
    process = subprocess.Popen(
        [sys.executable, '-c', STOPS_HALFWAY],
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b'halfway\n'
    process.kill()
    process.wait()
    process.stdout.close()
    hidden, raw = sorted(os.listdir(tmp_path))
    assert hidden.startswith('.out.') and raw == 'raw'
    again = run(TOOL, 'raw', 'out')
    assert again.returncode == 0
    assert f'removed what a conversion that was killed had left: {hidden}' in (
        again.stdout
    )
    assert sorted(os.listdir(tmp_path)) == ['out', 'raw']
    assert len(os.listdir(tmp_path / 'out/JPEGImages')) == 40
