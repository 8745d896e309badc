"""A trained generator: it goes on, makes pictures, and is told from other models."""

import shutil

import cv2
import numpy as np
import pytest
import torch

from custom_datasets import Predictor
from custom_datasets.errors import ConfigError, UserError
from custom_datasets.generation.sampling import Generator
from custom_datasets.samples.boxes import METAL_CLASSES
from tests.generation.conftest import LEAF
from tests.tools.test_resume import weights
from tools import generate as generate_tool
from tools import train as train_tool


@pytest.fixture(scope='module')
def generator(generator_run):
    return Generator.from_run(generator_run)


def test_a_run_leaves_its_pictures(generator_run):
    grids = sorted((generator_run / 'samples').iterdir())
    assert [path.name for path in grids] == ['epoch_0001.png', 'epoch_0002.png']
    height, width, _ = cv2.imread(str(grids[0])).shape
    assert height == len(METAL_CLASSES) * 66
    assert 66 < width < 300


def test_a_resumed_run_ends_with_the_same_weights(
    generator_run, generator_options, tmp_path
):
    begun = tmp_path / 'begun'
    begun.mkdir()
    shutil.copy(generator_run / 'epoch_1.pth', begun)
    arguments = [str(LEAF), '--work-dir', str(begun), '--resume']
    arguments += [str(begun / 'epoch_1.pth'), '--cfg-options', *generator_options]
    assert train_tool.main(arguments) == 0
    whole, resumed = (
        weights(folder / 'epoch_2.pth') for folder in (generator_run, begun)
    )
    assert any(name.startswith('average') for name in whole)
    assert whole.keys() == resumed.keys()
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name


def test_pictures_by_class_and_seed(generator):
    steps = []
    made = generator.generate(
        [METAL_CLASSES[0], METAL_CLASSES[1], METAL_CLASSES[0]],
        [1, 1, 2],
        lambda done, total: steps.append((done, total)),
    )
    assert made.shape == (3, 3, 64, 64) and made.dtype == torch.uint8
    assert steps == [(1, 1)]
    again = generator.generate([METAL_CLASSES[0]], [2])
    assert (made[2].int() - again[0].int()).abs().max() <= 1
    assert not torch.equal(made[0], made[2])


def test_more_than_a_batch(generator):
    steps = []
    names = [METAL_CLASSES[0]] * 20
    made = generator.generate(
        names, range(20), lambda done, total: steps.append((done, total))
    )
    assert len(made) == 20
    assert steps == [(1, 2), (2, 2)]


def test_real_pictures_are_those_of_the_pipeline(generator, metal_crops):
    real = generator.pictures('val')
    assert real.pixels.shape[1:] == (3, 64, 64) and real.pixels.dtype == torch.uint8
    assert len(real.pixels) == len(real.labels) == len(real.paths)
    path = real.paths[0]
    assert path.startswith(str(metal_crops))
    whole = cv2.imread(path)
    colour = whole.mean(axis=(0, 1))[::-1]
    made = real.pixels[0].float().mean(dim=(1, 2)).numpy()
    np.testing.assert_allclose(made, colour, atol=6)


def test_pictures_that_training_repeats_are_there_once(generator, generator_run):
    options = {'sampling': 'repeat-factor'}
    repeating = Generator.from_run(generator_run, options=options)
    assert repeating.pictures('train').paths == generator.pictures('train').paths


@pytest.mark.parametrize('seed', [-1, 2**32])
def test_seeds_are_limited(generator, seed):
    with pytest.raises(UserError, match=f'seed {seed}: must be from 0 to 4294967295'):
        generator.generate([METAL_CLASSES[0]], [seed])


def test_the_tool_writes_a_picture_for_each_class(generator_run, tmp_path, capsys):
    out = tmp_path / 'new folder'
    arguments = [str(generator_run), '--out', str(out), '--grid', '--count', '2']
    assert generate_tool.main(arguments) == 0
    names = {path.name for path in out.iterdir()}
    wanted = {f'{name}_{seed}.png' for name in METAL_CLASSES for seed in (0, 1)}
    assert names == {*wanted, 'grid.png'}
    assert f'{2 * len(METAL_CLASSES)} pictures of 64x64' in capsys.readouterr().out
    first = (out / f'{METAL_CLASSES[0]}_1.png').read_bytes()

    assert generate_tool.main(arguments) == 1
    assert 'is there already; give --overwrite' in capsys.readouterr().err

    one = tmp_path / 'one'
    again = [str(generator_run), '--out', str(one), '--class', METAL_CLASSES[0]]
    assert generate_tool.main([*again, '--seed', '1']) == 0
    pictures = [cv2.imread(str(f / f'{METAL_CLASSES[0]}_1.png')) for f in (out, one)]
    assert np.abs(pictures[0].astype(int) - pictures[1]).max() <= 1
    assert len(list(one.iterdir())) == 1

    assert generate_tool.main([*arguments, '--overwrite']) == 0
    assert (out / f'{METAL_CLASSES[0]}_1.png').read_bytes() == first


def test_names_of_classes_lead_to_no_other_folder(tmp_path, monkeypatch):
    """Nor does one picture take the place of another."""

    class Odd:
        classes = (
            '../away',
            str(tmp_path / 'x'),
            'Tea',
            'tea',
            'a/b',
            'a_b',
            'a' * 300,
        )
        size, checkpoint = 4, 'c.pth'

        def label(self, name):
            return self.classes.index(name)

        def generate(self, names, seeds, progress):
            return torch.zeros(len(names), 3, 4, 4, dtype=torch.uint8)

    monkeypatch.setattr(
        'custom_datasets.generation.generate.Generator.from_run',
        lambda *args, **settings: Odd(),
    )
    out = tmp_path / 'in' / 'out'
    assert generate_tool.main(['run', '--out', str(out)]) == 0
    pictures = [path for path in tmp_path.rglob('*') if path.is_file()]
    assert len(pictures) == len(Odd.classes)
    assert {path.parent for path in pictures} == {out}


def test_an_unknown_class_is_named_with_the_nearest(generator_run, capsys):
    wrong = METAL_CLASSES[0][:-1]
    assert generate_tool.main([str(generator_run), '--class', wrong]) == 1
    said = capsys.readouterr().err
    assert f'class {wrong!r}' in said
    assert f'did you mean {METAL_CLASSES[0]}?' in said
    assert not (generator_run / 'generated').exists()


def test_a_generator_predicts_nothing(generator_run):
    with pytest.raises(ConfigError, match=r"is a generator's; tools/generate\.py"):
        Predictor.from_run(generator_run)


def test_a_classifier_makes_no_pictures(generator_run):
    with pytest.raises(ConfigError, match="is a classifier's, and makes no pictures"):
        Generator(
            'configs/waste/resnet18_light_1xb64-30e_waste.py',
            generator_run / 'epoch_1.pth',
        )
