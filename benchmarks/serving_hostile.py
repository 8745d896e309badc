"""Five hundred hostile uploads at once to a server, and what became of it.

    python benchmarks/serving_hostile.py RUN IMAGES >> results/serving_hostile.json

Images of IMAGES are cut, flipped and lied about; bombs of each format, forms and JSON
that take time, bodies that dribble or never end, connections that are half-closed or
hang up, heads that are no HTTP: drawn by a seed, by sixteen clients at once, while
sound images are sent and /health is asked. Prints a line of JSON: the answers by
status, memory before and after, and files left behind.
"""

import argparse
import base64
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.serving import closed_loop
from tests.serving.hostile import (
    BOMBS,
    FRAMES,
    NAMES,
    ODD,
    TRUNCATED,
    Raw,
    chunked,
    form,
    head,
    resident,
)

ROOT = Path(__file__).resolve().parents[1]
UPLOADS, CLIENTS = 500, 16


def main(argv: list[str] | None = None) -> int:
    """Attack and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('run')
    parser.add_argument('images')
    parser.add_argument('--port', type=int, default=18790)
    args = parser.parse_args(argv)
    paths = sorted(Path(args.images).rglob('*.jp*g'))[:20]
    sound = [path.read_bytes() for path in paths]
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder, 'tmp')
        temporary.mkdir()
        with open(f'{folder}/log', 'w') as log:
            command = [sys.executable, 'tools/serve.py', args.run]
            command += ['--port', str(args.port), '--max-upload-seconds', '5']
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env={**os.environ, 'TMPDIR': str(temporary)},
            )
            try:
                _wait(args.port, sound[0])
                closed_loop(args.port, sound, 8, 200)
                first = set(temporary.rglob('*'))  # torch leaves a folder.
                result = _attack(args.port, process.pid, sound)
                result['files_left'] = len(set(temporary.rglob('*')) - first)
                process.send_signal(signal.SIGTERM)
                result['exit_status'] = process.wait(60)
            finally:
                process.kill()
        text = Path(folder, 'log').read_text()
        result['tracebacks'] = text.count('Traceback')
    print(json.dumps(result))
    return 0


def _wait(port: int, image: bytes) -> None:
    while True:
        try:
            if closed_loop(port, [image], 1)[0][0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.5)


def _attack(port: int, pid: int, sound: list[bytes]) -> dict[str, Any]:
    before = resident(pid)
    kinds = Counter[str]()
    answers = Counter[int]()
    slowest = 0.0
    ending = threading.Event()

    def upload(number: int) -> None:
        rng = random.Random(number)
        name = rng.choice(list(ATTACKS))
        with Raw(port, 60) as raw:
            status = ATTACKS[name](raw, rng, sound)
        kinds[name] += 1
        answers[status] += 1

    def watch() -> None:
        nonlocal slowest
        while not ending.wait(0.1):
            start = time.perf_counter()
            with Raw(port, 60) as raw:
                raw.send(head('/health', method='GET'))
                assert raw.answer()[0] == 200
            slowest = max(slowest, time.perf_counter() - start)

    watching = threading.Thread(target=watch)
    watching.start()
    start = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(upload, range(UPLOADS)))
    seconds = time.perf_counter() - start
    ending.set()
    watching.join()
    after = resident(pid)
    rows = closed_loop(port, sound, 1)
    return {
        'benchmark': 'serving_hostile',
        'uploads': UPLOADS,
        'clients': CLIENTS,
        'seconds': round(seconds, 1),
        'by_kind': dict(sorted(kinds.items())),
        'by_status': {str(k or 'closed'): v for k, v in sorted(answers.items())},
        'health_most_ms': round(1000 * slowest),
        'resident_before_mb': round(before),
        'resident_after_mb': round(after),
        'sound_images_after': dict(Counter(str(status) for status, _ in rows)),
    }


def _post(raw: Raw, kind: str, body: bytes) -> int:
    lines = f'Content-Type: {kind}', f'Content-Length: {len(body)}'
    raw.send(head('/predict', *lines), body)
    return raw.answer()[0]


def _damaged(raw: Raw, rng: random.Random, sound: list[bytes]) -> int:
    data = bytearray(rng.choice(sound))
    for _ in range(rng.choice((1, 10, 1000))):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return _post(raw, 'image/jpeg', bytes(data[: rng.randrange(len(data))]))


def _broken(raw: Raw, rng: random.Random, sound: list[bytes]) -> int:
    files = [*TRUNCATED.values(), *BOMBS.values(), *ODD.values(), FRAMES]
    several = {str(k): rng.choice(files) for k in range(rng.choice((1, 1, 4)))}
    return _post(raw, *form(several))


def _named(raw: Raw, rng: random.Random, sound: list[bytes]) -> int:
    return _post(raw, *form({rng.choice(NAMES): rng.choice(sound)}))


def _json(raw: Raw, rng: random.Random, sound: list[bytes]) -> int:
    size = rng.randrange(1_000_000)
    image = base64.b64encode(rng.choice(list(BOMBS.values())))
    texts = [b'[' * size, b'{"image": 1}', b'{"image": "%s"}' % image, b'"' * size]
    return _post(raw, 'application/json', rng.choice(texts))


def _noise(raw: Raw, rng: random.Random, sound: list[bytes]) -> int:
    kinds = 'image/png', 'multipart/form-data; boundary=a', 'text/html', 'image/é'
    return _post(raw, rng.choice(kinds), rng.randbytes(rng.randrange(100_000)))


def _gigabyte(raw: Raw, rng: random.Random, sound: list[bytes]) -> int:
    line = rng.choice(('Content-Length: 1073741824', 'Transfer-Encoding: chunked'))
    raw.send(head('/tag', 'Content-Type: image/png', line))
    raw.send(*chunked(1024))
    return raw.answer()[0]


def _slow(raw: Raw, rng: random.Random, sound: list[bytes]) -> int:
    lines = ['Content-Type: image/png', 'Content-Length: 1000']
    whole = head('/tag', *lines)
    if rng.random() < 0.5:
        raw.send(whole)
        whole = bytes(1000)
    for k in range(16):
        if not raw.send(whole[k : k + 1]):
            break
        time.sleep(1)
    return raw.answer()[0]


def _half(raw: Raw, rng: random.Random, sound: list[bytes]) -> int:
    data = rng.choice(sound)
    raw.send(head('/tag', 'Content-Type: image/jpeg', f'Content-Length: {len(data)}'))
    raw.send(data[: rng.randrange(len(data))])
    if rng.random() < 0.5:
        raw.socket.shutdown(1)
        return raw.answer()[0]
    return 0


def _no_http(raw: Raw, rng: random.Random, sound: list[bytes]) -> int:
    raw.send(rng.randbytes(1000))
    return raw.answer()[0]


Attack = Callable[[Raw, random.Random, list[bytes]], int]
ATTACKS: dict[str, Attack] = {
    'damaged': _damaged,
    'broken or bomb': _broken,
    'name': _named,
    'json': _json,
    'noise': _noise,
    'gigabyte': _gigabyte,
    'slow': _slow,
    'half': _half,
    'no http': _no_http,
}


if __name__ == '__main__':
    sys.exit(main())
