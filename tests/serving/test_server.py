"""tools/serve.py as a process: signals, workers, and what it says when it cannot."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from tests.leaves import ROOT
from tests.predicting.conftest import LEAF
from tests.serving.processes import Load, Server

pytestmark = pytest.mark.xdist_group('serving')


@pytest.fixture(scope='module')
def image(photo):
    return Path(photo).read_bytes()


@pytest.fixture(scope='module')
def tea(detector, tmp_path_factory):
    """The checkpoint of the detector, made to call everything tea."""
    checkpoint = torch.load(detector, weights_only=True)
    bias = checkpoint['state_dict']['roi_head.bbox_head.fc_cls.bias']
    bias.copy_(torch.tensor([5.0, 0.0, 0.0, 0.0]))
    path = tmp_path_factory.mktemp('tea') / 'tea.pth'
    torch.save(checkpoint, path)
    return path


@pytest.fixture
def checkpoint(detector, tmp_path):
    return shutil.copy(detector, tmp_path / 'model.pth')


def replace(checkpoint, source):
    """Put a file in another's place at once, as a training does."""
    shutil.copy(source, f'{checkpoint}.new')
    os.replace(f'{checkpoint}.new', checkpoint)


def test_a_new_checkpoint_answers_without_a_lost_request(
    checkpoint, tea, image, tmp_path
):
    """One process: it lives before it is ready, reloads, refuses, and ends."""
    with Server(LEAF, '--checkpoint', checkpoint) as server:
        server.wait_for(lambda: server.get('/health')[0] == 200)
        status, problem = server.get('/ready')
        assert (status, problem['detail']) == (503, 'the model is not loaded yet')
        assert server.get('/tag', image)[0] == 503
        server.until_ready()
        _, before = server.get('/')
        with Load(server, image) as load:
            server.wait_for(lambda: load.answers[200, 'coffee'] > 3)
            replace(checkpoint, tea)
            server.process.send_signal(signal.SIGHUP)
            server.wait_for(lambda: load.answers[200, 'tea'] > 3)
            (tmp_path / 'broken').write_bytes(Path(tea).read_bytes()[:5000])
            replace(checkpoint, tmp_path / 'broken')
            server.process.send_signal(signal.SIGHUP)
            server.wait_for(lambda: 'goes on' in server.log)
            seen = load.answers[200, 'tea']
            server.wait_for(lambda: load.answers[200, 'tea'] > seen + 3)
        assert set(load.answers) == {(200, 'coffee'), (200, 'tea')}
        _, after = server.get('/')
        assert after['model']['version'] != before['model']['version']
        assert 'model.pth: incomplete or damaged' in after['problem']
        assert server.get('/ready')[0] == 200
        assert after['model']['version'] in server.get('/metrics')[1]
        assert before['model']['version'] not in server.get('/metrics')[1]
        assert server.stop() == 0
    assert 'Traceback' not in server.log


def test_what_was_accepted_is_answered_before_the_end(checkpoint, image):
    with Server(LEAF, '--checkpoint', checkpoint) as server:
        server.until_ready()
        answers = []
        clients = [
            threading.Thread(target=lambda: answers.append(server.get('/tag', image)))
            for _ in range(12)
        ]
        for client in clients:
            client.start()
        # The metrics are not guarded by the queue, and see it fill.
        server.wait_for(
            lambda: float(
                re.search(r'^queue_images (\S+)', server.get('/metrics')[1], re.M)[1]
            )
            > 4
        )
        assert server.stop() == 0
        for client in clients:
            client.join()
    assert len(answers) == 12
    # Who came too late found a door that was closed, or a sentence.
    assert sum(status == 200 for status, _ in answers) > 4
    assert {status for status, _ in answers} <= {200, 503, 0}
    assert server.get('/health') == (0, None)


def test_a_worker_that_dies_is_replaced_and_all_reload(checkpoint, tea, image):
    arguments = (LEAF, '--checkpoint', checkpoint, '--workers', '2')
    with Server(*arguments, env={'OMP_NUM_THREADS': '1'}) as server:
        server.wait_for(lambda: workers_ready(server) == 2)
        victim = children(server.process.pid)[0]
        with Load(server, image, clients=2) as load:
            server.wait_for(lambda: sum(load.answers.values()) > 3)
            os.kill(victim, signal.SIGKILL)
            server.wait_for(lambda: len(set(children(server.process.pid))) == 1)
            server.wait_for(lambda: len(set(children(server.process.pid))) == 2)
            # Now, while the new one starts: it must not be killed by this.
            replace(checkpoint, tea)
            server.process.send_signal(signal.SIGHUP)
            server.wait_for(lambda: server.log.count('answers now') == 2)
            assert workers_ready(server) == 2
        # What the dead one had taken; nothing else is lost.
        assert load.answers[0, None] <= 2
        assert {status for status, _ in load.answers} <= {200, 0}
        assert [server.get('/tag', image)[1] for _ in range(8)] == [
            {'tags': ['tea']}
        ] * 8
        metrics = server.get('/metrics')[1]
        counted = re.search(r'requests_total{route="/tag",status="200"} (\S+)', metrics)
        answered = sum(n for (status, _), n in load.answers.items() if status == 200)
        assert float(counted[1]) == answered + 8
        assert server.stop() == 0
    assert 'Traceback' not in server.log


def workers_ready(server):
    status, text = server.get('/metrics')
    found = re.search(r'^ready (\S+)', text or '', re.M)
    return float(found[1]) if status == 200 and found else 0


def children(pid):
    """Return the workers: the processes below one that serve."""
    listed = Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
    return [
        int(child)
        for child in listed
        if b'spawn_main' in Path(f'/proc/{child}/cmdline').read_bytes()
    ]


def test_a_server_that_cannot_start_says_why(detector, tmp_path):
    def serve(*arguments):
        done = subprocess.run(
            [sys.executable, ROOT / 'tools/serve.py', *map(str, arguments)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1 and 'Traceback' not in done.stderr
        return done.stderr

    assert 'no such folder' in serve(tmp_path / 'nothing', '--port', '0')
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = serve(LEAF, '--checkpoint', detector, '--port', port)
    assert f'127.0.0.1:{port}: cannot be listened on' in said
    assert 'choose another --port' in said
    (tmp_path / 'broken.pth').write_bytes(b'PK')
    workers = ('--workers', '2', '--port', '0')
    said = serve(LEAF, '--checkpoint', tmp_path / 'broken.pth', *workers)
    assert 'broken.pth: incomplete or damaged' in said
