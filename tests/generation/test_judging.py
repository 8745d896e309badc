"""A generator's run from its folder to the page, and what cannot be judged."""

import json
import shutil
from contextlib import nullcontext

import numpy as np
import pytest
import torch
import torchvision

from custom_datasets.generation import features, judging
from custom_datasets.generation.judging import judge_generator
from custom_datasets.generation.sampling import Generator, RealPictures
from custom_datasets.predicting.outputs import Classification
from custom_datasets.samples.boxes import METAL_CLASSES
from tests.leaves import CLASSIFIERS, SAMPLE, small_run
from tests.pages.parsing import Page
from tools import train as train_tool
from tools.analysis_tools import judge_generator as tool

# Of one list: every fourth is held out, and what it was trained on is the next.
SPLIT = {
    'train_dataloader.dataset.indices': list(range(1, 72, 4)),
    'test_dataloader.dataset.ann_file': 'train.txt',
    'test_dataloader.dataset.indices': list(range(0, 72, 4)),
}
CLASSIFIER = next(
    leaf
    for leaf in CLASSIFIERS
    if leaf.stem.startswith('resnet18_light_1xb64-30e_metal')
)


def bar(what, unit):
    return nullcontext(lambda done, total: None)


@pytest.fixture
def some_weights(monkeypatch, tmp_path):
    """MobileNetV2 with weights of nobody's."""
    torch.manual_seed(0)
    path = tmp_path / 'weights.pth'
    torch.save(torchvision.models.mobilenet_v2().state_dict(), path)
    monkeypatch.setattr(features, 'find_weights', lambda name: str(path))


@pytest.fixture
def no_weights(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))


@pytest.fixture(scope='session')
def classifier_run(metal_crops, tmp_path_factory):
    """A classifier that was trained on two pictures of the generator's."""
    work_dir = tmp_path_factory.mktemp('classifier') / 'run'
    options = [
        *small_run(CLASSIFIER, metal_crops),
        f'classes={",".join(METAL_CLASSES)}',
    ]
    arguments = [str(CLASSIFIER), '--work-dir', str(work_dir), '--cfg-options']
    assert train_tool.main([*arguments, *options]) == 0
    return work_dir


def judged(run, out, **settings):
    settings = {'bar': bar, 'count': 3, 'options': SPLIT, 'out': str(out), **settings}
    text = judge_generator(str(run), **settings)
    content = json.loads((out / 'judge.json').read_text())
    page = (out / 'judge.html').read_text()
    return text, content, page


def test_everything_is_measured(generator_run, classifier_run, some_weights, tmp_path):
    text, content, html = judged(
        generator_run, tmp_path / 'out', classifier=str(classifier_run)
    )
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'judge.html',
        'judge.json',
    ]
    assert content['unmeasured'] == []
    assert content['pictures']['made'] == 3 * len(METAL_CLASSES)
    generator = Generator.from_run(generator_run, options=SPLIT)
    assert content['pictures']['training'] == len(generator.pictures('train').paths)
    assert content['classifier']['training_pictures'] == 2
    # The first two of the list.
    assert content['classifier']['training_too'] == 1
    assert content['classifier']['held_out_too'] == 1
    assert sum(row['real_pictures'] for row in content['agreement']) == 17
    assert [row['name'] for row in content['agreement']] == list(METAL_CLASSES)
    assert {row['made_pictures'] for row in content['agreement']} == {3}
    assert [part['space'] for part in content['copying']] == ['features', 'pixels']
    pair = content['copying'][0]['pairs'][0]
    assert pair['training'] in generator.pictures('train').paths
    page = Page(html)
    assert not page.outside
    assert page.sections() == [
        *('samples', 'likeness', 'agreement', 'copies', 'spread', 'about')
    ]
    assert 'the generator saw 1 of them (50%) too' in page.text
    for sentence in content['summary']:
        assert sentence in text and sentence in page.text
    assert text.endswith('MB')


def test_what_is_not_there_is_said(generator_run, no_weights, tmp_path):
    text, content, html = judged(generator_run, tmp_path / 'out')
    assert content['likeness'] is None and content['agreement'] is None
    weights, classifier = content['unmeasured']
    assert 'python tools/fetch_weights.py mobilenet_v2' in weights
    assert f'judge_generator.py {generator_run} --classifier RUN' in classifier
    page = Page(html)
    assert page.sections() == ['samples', 'copies', 'about']
    assert page.text.count('Not measured. ') == 2
    assert weights in text


def test_copies_are_made_out(generator_run, no_weights, tmp_path, monkeypatch):
    """A generator that shows training pictures, mirrored, is caught by pixels."""
    training = Generator.from_run(generator_run, options=SPLIT).pictures('train')

    def generate(self, names, seeds, progress=None):
        rows = [
            np.flatnonzero(training.labels == self.label(name))[seed % 2]
            for name, seed in zip(names, seeds, strict=True)
        ]
        return training.pixels[rows].flip(3)

    monkeypatch.setattr(Generator, 'generate', generate)
    text, content, html = judged(generator_run, tmp_path / 'out', count=4)
    (part,) = content['copying']
    assert part['copied']['value'] == 1
    assert part['pairs'][0]['distance'] == 0
    for pair in part['pairs']:
        path = pair['training']
        name = METAL_CLASSES[training.labels[training.paths.index(path)]]
        assert pair['made']['class'] == name
    assert 'By pixels, 100%' in text and 'that is copying' in text
    assert 'that is copying' in Page(html).text


def test_the_pairs_show_what_they_name():
    """A mirrored training picture is turned, so that both can be compared."""
    pixels = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    pixels[1, 0, :, 0] = 250
    made = RealPictures(pixels.flip(3), torch.tensor([0, 0]), ())
    real = RealPictures(pixels, torch.tensor([0, 0]), ('a', 'b'))
    pair = {'made': 1, 'training': 1, 'mirrored': True}
    shown = judging._shown({'copying': [{'pairs': [pair]}]}, made, real, real, 1)
    left, right = shown.pairs[0][0]
    np.testing.assert_array_equal(left, right)
    assert left[0, 3].tolist() == [0, 0, 250]
    assert shown.samples[0][1].shape == (2, 4, 4, 3)


def test_real_copies_are_left_out():
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8, generator=rng)
    training = RealPictures(pixels[:2], torch.tensor([0, 1]), ('a', 'b'))
    test = RealPictures(
        torch.stack([pixels[0], pixels[1].flip(2), pixels[2], pixels[3]]),
        torch.tensor([0, 1, 0, 1]),
        ('c', 'd', 'e', 'f'),
    )
    kept = judging._without_copies(test, training)
    assert kept.paths == ('e', 'f')
    assert kept.labels.tolist() == [0, 1]
    assert torch.equal(kept.pixels, pixels[2:])


def test_a_classifier_sees_what_was_made():
    """BGR, as OpenCV reads files, and each name goes with its picture."""
    names = {(250, 0, 0): 'red', (0, 250, 0): 'green', (0, 0, 250): 'blue'}

    class Colours:
        def stream(self, images, batch_size):
            for image in images:
                assert image.shape == (4, 6, 3) and image.dtype == np.uint8
                yield answer(names[tuple(image[2, 3, ::-1].tolist())])

    def answer(name):
        probabilities = np.array([each == name for each in names.values()], float)
        classes = tuple(names.values())
        return Classification('x', (6, 4), classes, None, None, None, probabilities)

    pixels = torch.tensor(list(names), dtype=torch.uint8)[:, :, None, None]
    pictures = RealPictures(pixels.expand(3, 3, 4, 6), torch.arange(3), ())
    assert judging._names(Colours(), pictures, bar) == ['red', 'green', 'blue']
    seen = np.array([True, False, False])
    assert judging._names(Colours(), pictures, bar, seen) == [None, 'green', 'blue']


def test_a_test_set_of_training_pictures(generator_run, no_weights, tmp_path, capsys):
    options = ['test_dataloader.dataset.ann_file=train.txt']
    arguments = [str(generator_run), '--count', '3', '--out', str(tmp_path / 'out')]
    assert tool.main([*arguments, '--cfg-options', *options]) == 1
    error = capsys.readouterr().err
    assert 'nothing real is left to compare with' in error
    assert error.count('\n') == 1
    assert not (tmp_path / 'out').exists()


def test_pictures_that_the_classifier_knows_do_not_count(
    generator_run, classifier_run, no_weights, tmp_path, monkeypatch
):
    monkeypatch.setattr(judging, '_digests', lambda paths: ['same'] * len(paths))
    _, content, html = judged(
        generator_run, tmp_path / 'out', classifier=str(classifier_run)
    )
    held_out = content['pictures']['held_out']
    assert content['classifier']['held_out_too'] == held_out
    assert {row['real_pictures'] for row in content['agreement']} == {0}
    text = Page(html).text
    assert f'{held_out} held-out pictures that it was trained on' in text
    assert 'the generator saw 1 of them (100%) too' in text


def test_training_pictures_of_a_classifier_that_are_gone(
    generator_run, classifier_run, no_weights, tmp_path
):
    run = tmp_path / 'moved'
    shutil.copytree(classifier_run, run)
    config = next(run.glob('*.py'))
    text = config.read_text()
    assert "ann_file='train.txt'" in text
    config.write_text(text.replace("ann_file='train.txt'", "ann_file='gone.txt'"))
    _, content, html = judged(generator_run, tmp_path / 'out', classifier=str(run))
    assert content['classifier']['training_pictures'] is None
    assert 'gone.txt' in content['classifier']['why']
    assert 'What it was trained on cannot be told' in Page(html).text
    assert content['agreement'][0]['real_pictures']


@pytest.mark.parametrize(
    ('run', 'said'),
    [('generator_run', "is a generator's"), ('detector_run', "is a detector's")],
)
def test_a_classifier_that_is_none(run, said, generator_run, request, tmp_path, capsys):
    other = request.getfixturevalue(run)
    arguments = [str(generator_run), '--classifier', str(other)]
    assert tool.main([*arguments, '--out', str(tmp_path / 'out')]) == 1
    error = capsys.readouterr().err
    assert said in error and error.count('\n') == 1
    assert not (tmp_path / 'out').exists()


@pytest.fixture(scope='module')
def detector_run(bccd_root, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('detector') / 'run'
    options = small_run(SAMPLE, bccd_root)
    arguments = [str(SAMPLE), '--work-dir', str(work_dir), '--cfg-options', *options]
    assert train_tool.main(arguments) == 0
    return work_dir


def test_a_checkpoint_of_another_task(
    generator_run, classifier_run, detector_run, capsys
):
    """A classifier's run, and a detector's weights in a generator's place."""
    assert tool.main([str(classifier_run)]) == 1
    assert "is a classifier's, and makes no pictures" in capsys.readouterr().err
    checkpoint = next(detector_run.glob('epoch_*.pth'))
    assert tool.main([str(generator_run), str(checkpoint)]) == 1
    error = capsys.readouterr().err
    assert error.startswith('error: ') and error.count('\n') == 1
    assert str(checkpoint) in error


def test_a_class_without_pictures(generator_run, no_weights, tmp_path, metal_crops):
    """It is named, and stops nothing."""
    name = METAL_CLASSES[0]
    root = tmp_path / 'crops'
    shutil.copytree(metal_crops, root)
    listed = (root / 'train.txt').read_text().splitlines()
    kept = [line for line in listed if not line.split('\t')[-1].endswith(name)]
    assert 0 < len(kept) < len(listed)
    (root / 'held.txt').write_text('\n'.join(kept) + '\n')
    options = {**SPLIT, 'data_root': str(root)}
    options['test_dataloader.dataset.ann_file'] = 'held.txt'
    options['test_dataloader.dataset.indices'] = list(range(0, len(kept), 4))
    _, content, _ = judged(generator_run, tmp_path / 'out', options=options)
    assert f'The test set has no picture of {name}.' in content['notes']
    assert content['pictures']['held_out'] > 5
    assert content['matched'][name] == 0


def test_a_checkpoint_that_was_chosen_on_the_held_out(
    generator_run, no_weights, tmp_path
):
    options = {**SPLIT, 'val_dataloader.dataset.ann_file': 'train.txt'}
    options['val_dataloader.dataset.indices'] = [0, 1, 2]
    _, content, _ = judged(generator_run, tmp_path / 'out', options=options)
    note = 'The checkpoint was chosen on 1 picture of the 18 that were held out'
    assert any(text.startswith(note) for text in content['notes'])


def test_seeds_beyond_the_last(generator_run, capsys):
    assert tool.main([str(generator_run), '--seed', str(2**32 - 2)]) == 1
    assert 'with 50 pictures ends above 4294967295' in capsys.readouterr().err


def test_a_page_that_cannot_be_written(generator_run, no_weights, tmp_path, capsys):
    (tmp_path / 'file').write_text('mine')
    options = ['test_dataloader.dataset.indices=None']
    arguments = [str(generator_run), '--count', '3', '--out', str(tmp_path / 'file')]
    assert tool.main([*arguments, '--cfg-options', *options]) == 1
    assert 'cannot be written' in capsys.readouterr().err
    assert (tmp_path / 'file').read_text() == 'mine'
