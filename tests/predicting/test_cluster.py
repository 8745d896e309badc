"""Settings of Ray, and jobs whose images are predicted on elsewhere; without Ray."""

import pickle

import cv2
import numpy as np
import pytest

from custom_datasets import Predictor, cli
from custom_datasets.errors import ImageError, UserError
from custom_datasets.predicting.cluster import place_everywhere, read_settings
from custom_datasets.predicting.job import predict_sources
from custom_datasets.predicting.job_folder import Request
from custom_datasets.predicting.writers import Outputs
from tests.leaves import ROOT
from tests.predicting.conftest import LEAF, WASTE
from tools import predict, serve


@pytest.fixture(scope='module', params=['detection', 'classification'])
def predictor(request, detector, classifier):
    if request.param == 'classification':
        return Predictor(WASTE, classifier)
    few = {'model.test_cfg.rcnn.max_per_img': 3}
    return Predictor(LEAF, detector, options=few)


@pytest.fixture
def images(tmp_path):
    """Three images in a folder, and a damaged one."""
    root = tmp_path / 'images'
    root.mkdir()
    for k in range(3):
        pixels = np.random.default_rng(k).integers(0, 256, (48, 64, 3), np.uint8)
        cv2.imwrite(str(root / f'{k}.png'), pixels)
    (root / 'bad.png').write_bytes((root / '0.png').read_bytes()[:200])
    return root


def elsewhere(predictor, told):
    """Return what predicts as another process would: all that comes back is a copy."""

    def spread(stills, batch_size):
        told.extend(still.name for still in stills)
        paths = [still.path for still in stills]
        names = [still.name for still in stills]
        for answer in predictor.stream(paths, batch_size=batch_size, names=names):
            yield pickle.loads(pickle.dumps(answer))

    return spread


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file()
    }


def test_a_job_elsewhere_writes_the_same_files(predictor, images, tmp_path):
    labels = 'voc' if predictor.task == 'detection' else None
    outputs = Outputs(csv=True, crops=True, labels=labels)
    told = []
    for name, spread in (('here', None), ('there', elsewhere(predictor, told))):
        request = Request([str(images)], outputs, str(tmp_path / name))
        outcome = predict_sources(predictor, request, spread=spread)
        assert outcome.images == 3
        assert [p for p in outcome.problems if 'bad.png' in p] == outcome.problems
    assert contents(tmp_path / 'there') == contents(tmp_path / 'here')
    assert told == ['0.png', '1.png', '2.png', 'bad.png']


def test_a_job_elsewhere_goes_on_where_it_ended(predictor, images, tmp_path):
    request = Request([str(images)], Outputs(), str(tmp_path / 'out'), batch_size=1)

    def interrupted(stills, batch_size):
        yield predictor(stills[0].path)
        raise KeyboardInterrupt

    assert predict_sources(predictor, request, spread=interrupted).interrupted
    told = []
    outcome = predict_sources(predictor, request, spread=elsewhere(predictor, told))
    assert (outcome.before, outcome.images) == (1, 3)
    assert told == ['1.png', '2.png', 'bad.png']


def test_only_image_files_are_sent(predictor, images, tmp_path):
    video = images / 'clip.avi'
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*'MJPG'), 5, (64, 48))
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    out = tmp_path / 'out'
    request = Request([str(images)], Outputs(), str(out))
    with pytest.raises(UserError, match=r'clip\.avi: other machines are sent image'):
        predict_sources(predictor, request, spread=elsewhere(predictor, []))
    assert not out.exists()


def test_an_image_error_reaches_another_process_whole():
    error = pickle.loads(pickle.dumps(ImageError('a.png', 'is empty')))
    assert (str(error), error.image, error.problem) == (
        'a.png: is empty',
        'a.png',
        'is empty',
    )


def test_the_shipped_settings_are_read():
    settings = read_settings(str(ROOT / 'configs/ray.yaml'))
    assert settings.model['max_queued_requests'] > 0
    assert settings.actors['num_cpus'] == 1


@pytest.mark.parametrize(
    ('text', 'problem'),
    [
        (None, 'cannot be read'),
        ('a: [', 'cannot be read'),
        ('- model', 'needs the sections cluster, model, actors, and no more'),
        ('models: {}', 'needs the sections'),
        ('model: 3', 'model needs settings with names'),
    ],
)
def test_wrong_settings_are_named(text, problem, tmp_path):
    path = tmp_path / 'ray.yaml'
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=problem) as error:
        read_settings(str(path))
    assert str(path) in str(error.value) and '\n' not in str(error.value)


def test_paths_are_whole_and_addresses_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'run').mkdir()
    assert place_everywhere('run') == str(tmp_path / 'run')
    assert place_everywhere('https://a.b/c.pth') == 'https://a.b/c.pth'


@pytest.mark.parametrize('tool', [serve, predict])
def test_without_ray_the_command_is_told(tool, monkeypatch, capsys):
    monkeypatch.setattr(cli, 'find_spec', lambda name: name != 'ray' or None)
    sources = ['photos'] if tool is predict else []
    assert tool.main(['run', *sources, '--engine', 'ray']) == 1
    assert capsys.readouterr().err == (
        'error: ray: not installed; run pip install -r requirements/ray.txt\n'
    )
