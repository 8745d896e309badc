"""From an export to a running training in two commands."""

import shutil
import subprocess
import sys

import cv2
import pytest
from PIL import Image

from custom_datasets.checks.check import Checked
from custom_datasets.checks.codes import find
from custom_datasets.cli import INTERRUPTED
from custom_datasets.data.convert import convert
from custom_datasets.samples.classes import draw_class_folders
from tests.leaves import ROOT
from tools import new_dataset as tool

PARTS = ('train', 'val', 'test')


@pytest.fixture
def repository(tmp_path):
    """A copy of what the commands need, to write into."""
    root = tmp_path / 'repository'
    ignored = shutil.ignore_patterns('__pycache__')
    for folder in ('custom_datasets', 'tools', 'tests', 'configs/_base_'):
        shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
    shutil.copytree(ROOT / 'configs/sample', root / 'configs/sample')
    shutil.copy(ROOT / 'pyproject.toml', root)
    return root


def run(repository, *arguments):
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True)


def small(*options):
    loaders = [
        f'{name}_dataloader.{setting}'
        for name in ('train', 'val')
        for setting in ('batch_size=2', 'num_workers=0', 'dataset.indices=2')
    ]
    given = ['from_scratch=True', 'train_cfg.max_epochs=1', 'train_cfg.val_interval=1']
    return ['--cfg-options', *given, *loaders, *options]


def tracks(path):
    return {line.rpartition('_')[0] for line in path.read_text().splitlines()}


def last_command(done):
    line = done.stdout.splitlines()[-1]
    assert line.startswith('train: python tools/train.py configs/'), done.stdout
    return line.removeprefix('train: python ').split()


def test_a_zip_of_yolo_becomes_a_training_run(repository, bccd_root, tmp_path):
    convert(str(bccd_root), str(tmp_path / 'export'), to='yolo')
    archive = shutil.make_archive(str(tmp_path / 'cells'), 'zip', tmp_path / 'export')

    made = run(repository, 'tools/new_dataset.py', 'blood-cells', archive)
    assert made.returncode == 0, made.stderr
    done = run(repository, *last_command(made), *small())

    assert done.returncode == 0, done.stderr[-2000:]
    work_dir = repository / 'work_dirs/rtmdet_tiny_1xb4-24e_blood-cells'
    assert (work_dir / 'epoch_1.pth').exists()
    assert 'pascal_voc/AP50_Platelets' in done.stdout + done.stderr


@pytest.mark.parametrize(
    ('place', 'said', 'left'),
    [
        ('scaffold.new_dataset.split_dataset', 'nothing is half-written', []),
        (
            'checks.check.check_config',
            'all of it is written; to check it: python tools/check.py configs/cells/',
            ['configs', 'custom_datasets', 'data', 'tests'],
        ),
    ],
)
def test_ctrl_c_says_what_is_there(
    place, said, left, bccd_root, tmp_path, monkeypatch, capsys
):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(f'custom_datasets.{place}', interrupted)
    monkeypatch.setattr(tool, 'ROOT', tmp_path)
    shutil.copytree(bccd_root, tmp_path / 'export')
    shutil.rmtree(tmp_path / 'export/ImageSets')
    assert tool.main(['cells', str(tmp_path / 'export')]) == INTERRUPTED
    assert capsys.readouterr().err.startswith(f'Interrupted; {said}')
    files = [path for path in tmp_path.glob('*/*') if path.parent.name != 'export']
    assert sorted({path.parent.name for path in files}) == left


def test_a_broken_image_is_left_out_on_request(
    metal_crops, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(tool, 'ROOT', tmp_path)
    export = shutil.copytree(metal_crops / 'train', tmp_path / 'export')
    broken = next(export.glob('*/*'))
    broken.write_bytes(broken.read_bytes()[:-200])
    assert tool.main(['defects', str(export)]) == 1
    said = capsys.readouterr().err
    assert f'{broken.relative_to(export)}: is cut off' in said
    assert said.endswith('\ncorrect it, or leave it out with --skip-broken\n')
    assert not list(tmp_path.glob('data/*'))
    tool.main(['defects', str(export), '--skip-broken'])
    lists = (tmp_path / 'data/defects').glob('t*.txt')
    assert lists and broken.name not in ''.join(path.read_text() for path in lists)


def test_damaged_images_that_only_the_check_finds_have_a_way_out(
    bccd_root, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(tool, 'ROOT', tmp_path)
    export = shutil.copytree(bccd_root, tmp_path / 'export')
    shutil.rmtree(export / 'ImageSets')
    found = Checked([find('truncated-image', 'is damaged', file='a.jpg')], 1)
    monkeypatch.setattr(
        'custom_datasets.checks.check.check_config', lambda *_, **__: found
    )
    assert tool.main(['cells', str(export)]) == 1
    assert (
        'or leave the damaged images out:\n  python tools/dataset_converters/split.py '
        'data/cells --few-to-train --overwrite --exclude FILE'
    ) in capsys.readouterr().err


def test_class_folders_become_a_training_run(repository, metal_crops, tmp_path):
    export = tmp_path / 'export'
    for part in ('train', 'val', 'test'):
        shutil.copytree(metal_crops / part, export, dirs_exist_ok=True)

    made = run(repository, 'tools/new_dataset.py', 'defects', export)
    assert made.returncode == 0, made.stderr
    done = run(repository, *last_command(made), *small())

    assert done.returncode == 0, done.stderr[-2000:]
    assert 'classwise/recall_crease' in done.stdout + done.stderr

    # What was written passes its own test and those of every leaf.
    tests = ['tests/datasets/test_defects.py', 'tests/configs/test_train_step.py']
    tested = run(
        repository, '-m', 'pytest', '-n0', '-k', 'defects and not resnet50', *tests
    )
    assert tested.returncode == 0, tested.stdout[-2000:]
    assert '4 passed' in tested.stdout


def test_numbered_folders_of_small_ppm_are_split_by_track(repository, tmp_path):
    export = tmp_path / 'Final_Training/Images'
    names = [f'{number:05d}' for number in range(12)]
    draw_class_folders(str(export), names, 9, suffixes=('.ppm', '.PPM'))
    for name in names:
        (export / name / f'GT-{name}.csv').write_text('Filename;Width\n')
        # Three tracks of three frames each, as cut out of a film.
        for index, image in enumerate(sorted((export / name).glob('*.[pP]*'))):
            frame = f'{index // 3:05d}_{index % 3:05d}{image.suffix}'
            image.rename(image.with_name(frame))

    made = run(
        repository,
        'tools/new_dataset.py',
        'signs',
        export.parent,
        '--group-by',
        '(.+)_',
    )
    assert made.returncode == 0, made.stderr
    assert '12 files in class folders are not readable images: 00000/' in made.stdout
    lists = {part: tracks(repository / f'data/signs/{part}.txt') for part in PARTS}
    assert [len(lists[part]) for part in PARTS] == [12, 12, 12]
    assert len(set.union(*lists.values())) == 36
    light = repository / 'configs/_base_/datasets/signs_light.py'
    assert 'image_scale = 64' in light.read_text()


def opencv_reads_gif(folder):
    Image.new('RGB', (8, 8)).save(folder / 'a.gif')
    return cv2.imread(str(folder / 'a.gif')) is not None


def test_named_folders_of_few_mixed_images_become_a_training_run(repository, tmp_path):
    export = tmp_path / 'export'
    names = ['Mr. Mime', "Farfetch'd", 'Nidoran♀', 'Flabébé', '007']
    # OpenCV 4.11, of the original line, has no GIF, and the check says so.
    gif = '.gif' if opencv_reads_gif(tmp_path) else '.bmp'
    suffixes = ('.jpg', '.PNG', gif, '.jpeg')
    draw_class_folders(str(export), names, 8, (140, 200), suffixes)
    draw_class_folders(str(export), ['One'], 1, (140, 200), seed=1)
    draw_class_folders(str(export), ['Two of it'], 2, (140, 200), seed=2)
    draw_class_folders(str(export), ['Nothing'], 0)
    (export / '007/logo.svg').write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')

    made = run(repository, 'tools/new_dataset.py', 'pocket', export)
    assert made.returncode == 0, made.stderr
    assert 'is not a readable image: 007/logo.svg' in made.stdout
    assert 'without an image left out: Nothing' in made.stdout
    assert 'in train only: One (1), Two of it (2)' in made.stdout
    light = repository / 'configs/_base_/datasets/pocket_light.py'
    assert 'image_scale = 128' in light.read_text()
    leaf = 'configs/pocket/resnet18_light_1xb32-30e_pocket.py'
    done = run(repository, 'tools/train.py', leaf, *small()[:4])

    assert done.returncode == 0, done.stderr[-2000:]
    assert (repository / f'work_dirs/{leaf[15:-3]}/epoch_1.pth').exists()
    assert 'classwise/recall_Nidoran♀' in done.stdout + done.stderr


def test_errors_in_the_data_are_shown_and_the_files_stay(
    repository, bccd_root, tmp_path
):
    export = shutil.copytree(bccd_root, tmp_path / 'export')
    image = export / 'JPEGImages/train_0001.png'
    data = image.read_bytes()
    # Begins and ends as it should, and so is converted.
    image.write_bytes(data[:200] + bytes(len(data) - 300) + data[-100:])
    made = run(repository, 'tools/new_dataset.py', 'cells', export)
    assert made.returncode == 1
    assert 'truncated-image' in made.stdout
    assert 'fix the errors above, then: python tools/train.py' in made.stderr
    assert (repository / 'custom_datasets/datasets/cells.py').exists()
