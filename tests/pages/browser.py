"""A page in Chromium, driven over its pipe: nothing to install but the browser.

Protocol: https://chromedevtools.github.io/devtools-protocol, JSON ended by a zero byte.
"""

import json
import os
import subprocess
import time
from contextlib import contextmanager

LONGEST = 30
"""Seconds until a page has to be there."""


class Tab:
    """A page; ``run`` returns what JavaScript says of it."""

    def __init__(self, pipe, url):
        self._pipe = pipe
        target = pipe.call('Target.createTarget', url=url)['targetId']
        attached = pipe.call('Target.attachToTarget', targetId=target, flatten=True)
        self._session = attached['sessionId']
        deadline = time.monotonic() + LONGEST
        while self.run('document.readyState + location.href') != f'complete{url}':
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def run(self, script):
        answer = self._pipe.call(
            'Runtime.evaluate', self._session, expression=script, returnByValue=True
        )
        assert 'exceptionDetails' not in answer, answer
        return answer['result'].get('value')


class Pipe:
    """What goes to a browser, and comes from it."""

    def __init__(self, write, read):
        self._write, self._read = write, read
        self._rest, self._calls = b'', 0

    def call(self, method, session=None, **params):
        self._calls += 1
        message = {'id': self._calls, 'method': method, 'params': params}
        message |= {'sessionId': session} if session else {}
        os.write(self._write, json.dumps(message).encode() + b'\0')
        while (answer := self._next()).get('id') != self._calls:
            pass
        assert 'error' not in answer, answer
        return answer['result']

    def _next(self):
        while b'\0' not in self._rest:
            more = os.read(self._read, 65536)
            assert more, 'the browser has ended'
            self._rest += more
        first, self._rest = self._rest.split(b'\0', 1)
        return json.loads(first)


@contextmanager
def browser(program, profile):
    """Start a browser with an empty profile; yields what opens a tab by its URL."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    # It reads from 3 and writes to 4.
    command = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
    options = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run']
    options += [f'--user-data-dir={profile}', '--remote-debugging-pipe', 'about:blank']
    process = subprocess.Popen(
        ['bash', '-c', command, program, *options],
        pass_fds=(theirs_in, theirs_out),
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    pipe = Pipe(ours_out, ours_in)
    try:
        yield lambda url: Tab(pipe, url)
    finally:
        process.terminate()
        process.wait(LONGEST)
        os.close(ours_out)
        os.close(ours_in)
