"""Serving and predicting on a cluster of this machine: `make test-ray`."""

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
import torch

from custom_datasets import Predictor
from tests.leaves import ROOT
from tests.predicting.conftest import LEAF
from tests.serving.processes import PATIENCE
from tests.serving.ray_server import RayServer

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif('TEST_RAY' not in os.environ, reason='make test-ray runs it'),
]

MOST_AT_A_TIME = 8
SETTINGS = f"""
cluster: {{num_cpus: 2, object_store_memory: 100_000_000}}
model:
  num_replicas: 2
  ray_actor_options: {{num_cpus: 1}}
  max_ongoing_requests: {MOST_AT_A_TIME}
  max_queued_requests: 16
  health_check_period_s: 2
  max_constructor_retry_count: 1
actors: {{min_size: 2, max_size: 2, num_cpus: 0.5}}
"""


@pytest.fixture(scope='module')
def checkpoint(detector, tmp_path_factory):
    return shutil.copy(detector, tmp_path_factory.mktemp('model') / 'epoch_1.pth')


@pytest.fixture(scope='module')
def server(checkpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp('served')
    with RayServer(folder, SETTINGS, LEAF, '--checkpoint', checkpoint) as server:
        yield server.until_replicas(2)
        if server.process.poll() is None:
            server.stop()


@pytest.fixture
def image(photo):
    return Path(photo).read_bytes()


def test_the_application_is_the_same(server, image, checkpoint):
    expected = Predictor(LEAF, checkpoint)(image)
    tags = server.get('/tag?as=dict', image)[1]['tags']
    assert list(tags) == ['coffee']
    np.testing.assert_allclose(tags['coffee']['boxes'], expected.boxes, atol=1e-3)
    with server.client() as client:
        painted = client.post('/predict?annotated=1', content=image).content
    pixels = cv2.imdecode(np.frombuffer(painted, np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape == expected.paint().shape
    status, problem = server.get('/tag', image[:200])
    assert status == 422 and 'damaged' in problem['detail']
    assert server.get('/')[1]['limits']['queue'] == 16
    assert server.get('/ready')[0] == 200


def test_images_share_runs_of_the_network(server, image):
    before = server.metric('batch_images_count'), server.metric('batch_images_sum')
    files = [('image', (f'{k}.png', image)) for k in range(8)]
    rows = httpx.post(f'{server.address}/predict', files=files).json()['images']
    assert [row['boxes'] for row in rows] == [rows[0]['boxes']] * 8
    assert server.metric('batch_images_sum') - before[1] == 8
    assert server.metric('batch_images_count') - before[0] < 8


def test_a_replica_that_dies_loses_what_ran_on_it_and_comes_back(server, image):
    first = server.replicas()
    assert len(first) == 2
    with server.many_clients(image, 12) as responses:
        server.wait_for(lambda: len(responses) > 30)
        os.kill(first[0], signal.SIGKILL)
        server.until_replicas(1)
        assert server.get('/ready')[0] == 200
        server.until_replicas(2)
        after = len(responses)
        server.wait_for(lambda: len(responses) > after + 30)
    lost = [answer for answer in responses if answer.status_code != 200]
    assert 1 <= len(lost) <= MOST_AT_A_TIME
    assert {answer.status_code for answer in lost} == {503}
    assert all(int(answer.headers['retry-after']) >= 1 for answer in lost)
    assert all('send it again' in answer.json()['detail'] for answer in lost)
    assert {answer.status_code for answer in responses[after:]} == {200}
    second = server.replicas()
    assert len(second) == 2 and first[0] not in second and first[1] in second


def test_a_full_queue_is_told_and_nothing_else_fails(server, image):
    with server.many_clients(image, 60) as responses:
        server.wait_for(lambda: len(responses) > 200)
        assert server.get('/health')[0] == 200
    assert {answer.status_code for answer in responses} == {200, 429}
    full = [answer for answer in responses if answer.status_code == 429]
    assert all(int(answer.headers['retry-after']) >= 1 for answer in full)
    assert server.metric('queue_images') == 0


def test_a_new_checkpoint_is_loaded_and_a_damaged_one_refused(
    server, image, checkpoint
):
    def version():
        return server.get('/predict', image)[1]['model']['version']

    def problem():
        return server.get('/')[1]['problem']

    old = version()
    whole = Path(checkpoint).read_bytes()
    Path(checkpoint).write_bytes(whole[:1000])
    server.process.send_signal(signal.SIGHUP)
    server.wait_for(problem)
    assert 'damaged' in problem()
    assert version() == old
    content = torch.load(io.BytesIO(whole), weights_only=False)
    content['meta']['epoch'] = 9
    torch.save(content, checkpoint)
    server.process.send_signal(signal.SIGHUP)
    server.wait_for(lambda: version() != old)
    assert problem() == ''
    assert server.metric('ready') == 2


def test_the_end_answers_what_was_accepted(server, image):
    with ThreadPoolExecutor(24) as pool:
        sent = [pool.submit(server.get, '/tag', image) for _ in range(24)]
        server.wait_for(lambda: (server.metric('queue_images') or 0) > 20)
        server.process.send_signal(signal.SIGTERM)
        server.wait_for(lambda: server.get('/ready')[0] == 503)
        assert server.get('/tag', image)[0] == 503
        assert not all(answer.done() for answer in sent)
    assert [answer.result()[0] for answer in sent] == [200] * 24
    assert server.process.wait(60) == 0
    assert not server.replicas()
    assert 'Traceback' not in server.log


@pytest.mark.parametrize(
    ('settings', 'checkpoint', 'sentence'),
    [
        (SETTINGS, 'gone.pth', 'gone.pth: no such checkpoint'),
        ('model: {max_ongoing: 3}', '', "unexpected keyword argument 'max_ongoing'"),
    ],
    ids=['checkpoint', 'setting'],
)
def test_what_cannot_start_is_one_sentence(
    settings, checkpoint, sentence, detector, tmp_path
):
    with RayServer(
        tmp_path, settings, LEAF, '--checkpoint', checkpoint or detector
    ) as server:
        assert server.process.wait(120) == 1
    error = server.lines[-1]
    assert error.startswith('error: ') and sentence in error
    assert 'Traceback' not in server.log


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    """Sixty images in two folders, and a damaged one."""
    root = tmp_path_factory.mktemp('images')
    for k in range(60):
        (root / f'{k % 2}').mkdir(exist_ok=True)
        pixels = np.random.default_rng(k).integers(0, 256, (48, 64, 3), np.uint8)
        cv2.imwrite(str(root / f'{k % 2}/{k}.png'), pixels)
    (root / '1/bad.png').write_bytes(b'\x89PNG\r\n\x1a\n')
    return root


@pytest.fixture(scope='module')
def predict(detector, images, tmp_path_factory):
    """Return the command that predicts, into a folder; more arguments may follow."""
    config = tmp_path_factory.mktemp('config') / 'ray.yaml'
    config.write_text(SETTINGS)
    few = ('--cfg-options', 'model.test_cfg.rcnn.max_per_img=3')

    def command(out, *more):
        tool = [sys.executable, ROOT / 'tools/predict.py', LEAF, detector, images]
        asked = ['--csv', '--coco', '--crops', '--save-labels', 'voc', *few]
        return [*tool, '--out', out, '--ray-config', config, *asked, *more]

    return command


@pytest.fixture(scope='module')
def plain(predict, tmp_path_factory):
    out = tmp_path_factory.mktemp('plain') / 'out'
    assert subprocess.run(predict(out), check=False).returncode == 1  # bad.png
    return out


def contents(folder):
    """Return all files of a job by their names."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


def test_a_folder_on_the_cluster_gives_the_same_files(predict, plain, tmp_path):
    out = tmp_path / 'out'
    run = subprocess.run(
        predict(out, '--engine', 'ray'), capture_output=True, text=True, check=False
    )
    assert run.returncode == 1, run.stderr
    assert '1 image could not be used' in run.stdout
    assert 'bad.png' in run.stderr
    assert contents(out) == contents(plain)


def test_an_interrupted_job_goes_on_with_either_engine(predict, plain, tmp_path):
    out = tmp_path / 'out'
    command = predict(out, '--engine', 'ray')
    log = out / 'predictions.jsonl'

    def wait_for(condition):
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.05)

    def lines():
        return log.read_text().count('\n') if log.exists() else 0

    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    wait_for(lambda: lines() > 5)
    process.send_signal(signal.SIGINT)
    assert process.communicate()[0].endswith('Interrupted; the same command goes on\n')
    assert process.returncode == 130
    first = lines()
    assert 5 < first < 60

    killed = subprocess.Popen(command)
    wait_for(lambda: lines() > first + 5)
    killed.kill()
    killed.wait()
    second = lines()
    assert first < second < 60

    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f'60 images ({second} of them were done before)' in run.stdout
    assert contents(out) == contents(plain)
