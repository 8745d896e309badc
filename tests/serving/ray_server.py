"""`tools/serve.py --engine ray` in a process, its replicas, and many who ask it."""

import os
import re
import threading
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.serving.processes import PATIENCE, Server


class RayServer(Server):
    """A server whose replicas can be counted, and killed."""

    def __init__(self, folder, settings, *arguments):
        config = folder / 'ray.yaml'
        config.write_text(settings)
        super().__init__(*arguments, '--engine', 'ray', '--ray-config', config)

    def until_replicas(self, count):
        self.wait_for(lambda: self.metric('ready') == count)
        return self

    def metric(self, name):
        text = self.get('/metrics')[1] or ''
        row = re.search(rf'^{name} (\S+)$', text, re.MULTILINE)
        return float(row[1]) if row else None

    def replicas(self):
        """Return the ids of the processes that have the model."""
        return [
            pid
            for pid in map(int, filter(str.isdigit, os.listdir('/proc')))
            if re.search('ray::ServeReplica.*:model$', _command(pid))
            and self.process.pid in _ancestors(pid)
        ]

    @contextmanager
    def many_clients(self, image, count):
        """Let clients send an image again and again; yields the list of responses."""
        responses, stop = [], threading.Event()

        def ask():
            with self.client() as client:
                while not stop.is_set():
                    responses.append(client.post('/tag', content=image))

        threads = [threading.Thread(target=ask) for _ in range(count)]
        for thread in threads:
            thread.start()
        try:
            yield responses
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def client(self):
        """Return a client that sends images."""
        headers = {'content-type': 'image/png'}
        return httpx.Client(base_url=self.address, headers=headers, timeout=PATIENCE)


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
