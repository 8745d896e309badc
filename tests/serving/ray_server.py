"""`tools/serve.py --engine ray` in a process, its replicas, and many who ask it."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

from tests.leaves import ROOT

STARTING_SECONDS = 180


class Server:
    """A running command; ``log`` is all that it printed."""

    def __init__(self, folder, settings, *arguments):
        config = folder / 'ray.yaml'
        config.write_text(settings)
        self.path = folder / 'serve.log'
        engine = ('--engine', 'ray', '--ray-config', config, '--port', '0')
        with open(self.path, 'wb') as log:
            self.process = subprocess.Popen(
                [sys.executable, ROOT / 'tools/serve.py', *arguments, *engine],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
            )

    @property
    def log(self):
        return self.path.read_text()

    def wait_until_ready(self, replicas):
        """Wait for the address, and for so many replicas."""
        address = wait_for(lambda: re.search(r'http://\S+', self.log), self.process)
        self.client = httpx.Client(base_url=address[0], timeout=60)
        self.wait_for_replicas(replicas)

    def wait_for_replicas(self, count):
        wait_for(lambda: self.metric('ready') == count, self.process)

    def metric(self, name):
        try:
            text = self.client.get('/metrics').text
        except httpx.TransportError:
            return None
        row = re.search(rf'^{name} (\S+)$', text, re.MULTILINE)
        return float(row[1]) if row else None

    def replicas(self, name='model'):
        """Return the ids of our processes of a deployment."""
        return [
            pid
            for pid in map(int, filter(str.isdigit, os.listdir('/proc')))
            if re.search(f'ray::ServeReplica.*:{name}$', _command(pid))
            and self.process.pid in _ancestors(pid)
        ]

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def wait_for(condition, process, seconds=STARTING_SECONDS):
    """Return what a condition gives once it is something, while a process lives."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert process.poll() is None, 'the server has ended'
        assert time.monotonic() < end, 'it takes too long'
        time.sleep(0.1)
    return value


@contextlib.contextmanager
def many_clients(server, image, clients):
    """Let many send an image again and again; yields the list of their answers."""
    answers, stop = [], threading.Event()

    def ask():
        with httpx.Client(base_url=server.client.base_url, timeout=60) as client:
            while not stop.is_set():
                headers = {'content-type': 'image/png'}
                answers.append(client.post('/tag', content=image, headers=headers))

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _command(pid):
    try:
        return (
            Path(f'/proc/{pid}/cmdline').read_bytes().split(b'\0')[0].decode().strip()
        )
    except (OSError, UnicodeDecodeError):  # It has ended.
        return ''


def _ancestors(pid):
    while pid > 1:
        try:
            status = Path(f'/proc/{pid}/status').read_text()
        except OSError:
            return
        pid = int(re.search(r'^PPid:\s+(\d+)', status, re.MULTILINE)[1])
        yield pid
