"""A server in a process of its own, and clients that keep asking it."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter

from tests.leaves import ROOT

PATIENCE = 120
"""Seconds after which something that should happen is a failure."""


class Server:
    """A command that serves, with a free port, until the block ends."""

    def __init__(self, *arguments, tool='serve.py', cwd=None, env=None):
        command = [sys.executable, ROOT / 'tools' / tool, *map(str, arguments)]
        self.process = subprocess.Popen(
            [*command, '--port', '0'],
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            env={**os.environ, **(env or {})},
        )
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join(10)

    @property
    def log(self):
        return ''.join(self.lines)

    @property
    def address(self):
        self.wait_for(lambda: re.search(r'http://\S+', self.log))
        return re.search(r'http://\S+', self.log)[0]

    def wait_for(self, condition):
        end = time.monotonic() + PATIENCE
        while not (value := condition()):
            assert time.monotonic() < end, f'nothing happened\n{self.log}'
            time.sleep(0.02)
        return value

    def get(self, path, body=None, headers=None):
        """Return status and content; 0 where no connection is taken."""
        headers = {'content-type': 'image/png', **(headers or {})}
        request = urllib.request.Request(self.address + path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as response:
                content = response.read()
                kind = response.headers['content-type']
                return response.status, json.loads(content) if 'json' in kind else (
                    content.decode()
                )
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())
        except (urllib.error.URLError, ConnectionError):
            return 0, None

    def until_ready(self):
        self.wait_for(lambda: self.get('/ready')[0] == 200)
        return self

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


class Load:
    """Clients that ask one after the other until the block ends.

    ``answers`` counts by status and first tag.
    """

    def __init__(self, server, body, clients=4):
        self.server, self.body = server, body
        self.answers = Counter()
        self.ending = threading.Event()
        self.clients = [threading.Thread(target=self._ask) for _ in range(clients)]

    def _ask(self):
        while not self.ending.is_set():
            status, content = self.server.get('/tag', self.body)
            tag = content['tags'][0] if status == 200 else None
            self.answers[status, tag] += 1

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *error):
        self.ending.set()
        for client in self.clients:
            client.join(PATIENCE)
