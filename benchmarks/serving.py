"""What the HTTP API costs beside the predictor, and what it does under too much load.

    python benchmarks/serving.py RUN IMAGES [--litserve PYTHON] >> results/serving.json

The bare predictor runs in a loop over the bytes of the images. Beside it, in turn,
clients in a process of their own post the same bytes as forms to ``/predict``: first
eight clients (throughput), then one (latency); both as ratios or differences of
medians of ROUNDS. ``--litserve`` names a Python that has LitServe, which then serves
the same predictor with the same batches as the yardstick. At the end ten times the
load that it carries (an open loop, with /health asked meanwhile), and thousands of
requests, between which memory is read. Prints a line of JSON.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
ROUNDS, IMAGES, CLIENTS, OVERLOAD, PATIENCE = 7, 72, 8, 10, 120


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    args = _parser().parse_args(argv)
    paths = sorted(Path(args.images).rglob('*.jp*g'))[:IMAGES]
    images = [path.read_bytes() for path in paths]
    predict = _bare_predictor(args.run)
    result: dict[str, Any] = {
        'benchmark': 'serving',
        'run': Path(args.run).name,
        'images': len(images),
        'load_before': round(os.getloadavg()[0], 1),
    }
    with (
        ProcessPoolExecutor(1, get_context('spawn')) as client,
        _serving(_ours(args.run)) as ours,
    ):

        def over_http(port: int, clients: int) -> Callable[[], list[float]]:
            def work() -> list[float]:
                rows = client.submit(closed_loop, port, images, clients).result()
                assert all(status == 200 for status, _ in rows)
                return [seconds for _, seconds in rows]

            return work

        with _litserve(args.litserve, args.run) as yardstick:
            servers = {'api': ours.port}
            if yardstick:
                servers['litserve'] = yardstick.port
            many = {name: over_http(port, CLIENTS) for name, port in servers.items()}
            one = {name: over_http(port, 1) for name, port in servers.items()}
            loop = {'bare': lambda: [_timed(predict, data) for data in images]}
            speed, _ = _in_turn(args.rounds, {**loop, **many})
            _, latency = _in_turn(args.rounds, {**loop, **one})
        bare = speed['bare']
        result |= {
            'rounds': args.rounds,
            'images_per_second': {n: round(v, 2) for n, v in speed.items()},
            'ratio': {n: round(v / bare, 3) for n, v in speed.items()},
            'ms_one_client': {n: round(1000 * v, 1) for n, v in latency.items()},
            'ms_added': {
                n: round(1000 * (v - latency['bare']), 1) for n, v in latency.items()
            },
        }
        if args.seconds:
            rate = OVERLOAD * speed['api']
            rows, health = client.submit(
                open_loop, ours.port, images, rate, args.seconds
            ).result()
            result['overload'] = _judge_overload(rows, health, speed['api'])
        result['memory'] = _memory(client, ours, images, args.requests)
    result['load_after'] = round(os.getloadavg()[0], 1)
    print(json.dumps(result))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('run')
    parser.add_argument('images')
    parser.add_argument('--litserve', metavar='PYTHON')
    parser.add_argument('--rounds', type=int, default=ROUNDS)
    parser.add_argument('--seconds', type=float, default=30, help='of overload, or 0')
    parser.add_argument('--requests', type=int, default=10_000, help='for the memory')
    return parser


def _bare_predictor(run: str) -> Callable[[bytes], object]:
    from custom_datasets.predicting.config import quiet
    from custom_datasets.predicting.predictor import Predictor

    with quiet():
        predictor = Predictor.from_run(run)
    return lambda data: predictor(data).to_dict()


def _timed(predict: Callable[[bytes], object], data: bytes) -> float:
    start = time.perf_counter()
    predict(data)
    return time.perf_counter() - start


def _in_turn(
    rounds: int, ways: dict[str, Callable[[], list[float]]]
) -> tuple[dict[str, float], dict[str, float]]:
    """Return median images a second and median latency of each way."""
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    latencies: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, work in ways.items():
            start = time.perf_counter()
            rows = work()
            if turn:  # The first round warms up.
                speeds[name].append(len(rows) / (time.perf_counter() - start))
                latencies[name] += rows
    return (
        {name: statistics.median(values) for name, values in speeds.items()},
        {name: statistics.median(values) for name, values in latencies.items()},
    )


class Server:
    """A server in a process of its own."""

    def __init__(self, command: list[str]) -> None:
        """Start it on a free port."""
        with socket.create_server(('127.0.0.1', 0)) as free:
            self.port: int = free.getsockname()[1]
        self.log = tempfile.TemporaryFile('w+')
        command = [part.replace('PORT', str(self.port)) for part in command]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=self.log, stderr=self.log
        )

    def wait(self, image: bytes) -> None:
        """Wait until it predicts."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < end:
            try:
                rows = closed_loop(self.port, [image], 1)
            except (OSError, asyncio.IncompleteReadError):
                rows = []
            if rows and rows[0][0] == 200:
                return
            time.sleep(0.5)
        self.log.seek(0)
        raise RuntimeError(self.log.read())

    def resident(self) -> int:
        """Return the bytes of memory that it has."""
        pages = Path(f'/proc/{self.process.pid}/statm').read_text().split()[1]
        return int(pages) * os.sysconf('SC_PAGE_SIZE')


@contextmanager
def _serving(command: list[str]) -> Iterator[Server]:
    server = Server(command)
    try:
        from custom_datasets.serving.examples import drawn_examples

        server.wait(drawn_examples()[0].data)
        yield server
    finally:
        server.process.send_signal(signal.SIGTERM)
        try:
            server.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            server.process.kill()


@contextmanager
def _litserve(python: str | None, run: str) -> Iterator[Server | None]:
    if python is None:
        yield None
        return
    from custom_datasets.serving.limits import Limits

    batches = [str(Limits.batch), str(Limits.batch_wait)]
    script = 'benchmarks/litserve_app.py'
    with _serving([python, script, run, 'PORT', *batches]) as server:
        yield server


def _ours(run: str) -> list[str]:
    return [sys.executable, 'tools/serve.py', run, '--port', 'PORT']


def _form(data: bytes) -> bytes:
    """Return a whole request."""
    body = (
        b'--edge\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n'
        b'Content-Type: image/jpeg\r\n\r\n' + data + b'\r\n--edge--\r\n'
    )
    head = (
        'POST /predict HTTP/1.1\r\nHost: localhost\r\n'
        'Content-Type: multipart/form-data; boundary=edge\r\n'
        f'Content-Length: {len(body)}\r\n\r\n'
    )
    return head.encode() + body


class _Client:
    """A connection that is kept; light, since it runs on the server's cores."""

    async def ask(self, request: bytes) -> int:
        """Return the status of the answer."""
        self.writer.write(request)
        head = await self.reader.readuntil(b'\r\n\r\n')
        length = re.search(rb'content-length: (\d+)', head, re.I)
        await self.reader.readexactly(int(length[1]) if length else 0)
        return int(head[9:12])

    async def connect(self, port: int) -> '_Client':
        """Open it."""
        self.reader, self.writer = await asyncio.open_connection('127.0.0.1', port)
        return self


def closed_loop(
    port: int, images: list[bytes], clients: int, count: int | None = None
) -> list[tuple[int, float]]:
    """Post all images, each client the next after its last answer.

    Returns the status and the seconds of each request.
    """
    todo = islice(cycle([_form(data) for data in images]), count or len(images))
    rows: list[tuple[int, float]] = []

    async def work() -> None:
        client = await _Client().connect(port)
        for request in todo:
            start = time.perf_counter()
            status = await client.ask(request)
            rows.append((status, time.perf_counter() - start))
        client.writer.close()

    async def all_clients() -> None:
        await asyncio.gather(*(work() for _ in range(clients)))

    asyncio.run(all_clients())
    return rows


def open_loop(
    port: int, images: list[bytes], rate: float, seconds: float
) -> tuple[list[tuple[int, float]], list[float]]:
    """Post at a steady rate, whatever becomes of it, and ask for /health meanwhile."""
    requests = cycle([_form(data) for data in images])
    rows: list[tuple[int, float]] = []
    health: list[float] = []
    free: list[_Client] = []

    async def post(request: bytes) -> None:
        start = time.perf_counter()
        while free and free[-1].reader.at_eof():  # The server ends what is idle.
            free.pop()
        client = free.pop() if free else await _Client().connect(port)
        status = await client.ask(request)
        rows.append((status, time.perf_counter() - start))
        free.append(client)

    async def watch() -> None:
        client = await _Client().connect(port)
        while True:
            start = time.perf_counter()
            await client.ask(b'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n')
            health.append(time.perf_counter() - start)
            await asyncio.sleep(0.05)

    async def run() -> None:
        watching = asyncio.create_task(watch())
        posts = []
        start = time.perf_counter()
        for number in range(int(rate * seconds)):
            wait = start + number / rate - time.perf_counter()
            await asyncio.sleep(max(0.0, wait))
            posts.append(asyncio.create_task(post(next(requests))))
        await asyncio.gather(*posts)
        watching.cancel()

    asyncio.run(run())
    return rows, health


def _judge_overload(
    rows: list[tuple[int, float]], health: list[float], speed: float
) -> dict[str, Any]:
    from custom_datasets.serving.limits import Limits

    accepted = [seconds for status, seconds in rows if status == 200]
    refused = [seconds for status, seconds in rows if status == 429]
    bound = 1.5 * Limits.queue / speed
    return {
        'requests': len(rows),
        'by_status': {
            str(k): v for k, v in sorted(Counter(s for s, _ in rows).items())
        },
        'accepted_s': _quantiles(accepted, 1),
        'bound_s': round(bound, 3),
        'refused_ms': _quantiles(refused, 1000),
        'health_ms': _quantiles(health, 1000),
    }


def _quantiles(values: list[float], unit: float) -> dict[str, float]:
    ordered = sorted(values)
    last = len(ordered) - 1
    shares = {'median': 0.5, 'p99': 0.99, 'most': 1.0}
    return {n: round(unit * ordered[round(s * last)], 3) for n, s in shares.items()}


def _memory(
    client: ProcessPoolExecutor, server: Server, images: list[bytes], requests: int
) -> dict[str, Any]:
    early = requests // 20
    client.submit(closed_loop, server.port, images, CLIENTS, early).result()
    first = server.resident()
    rest = requests - early
    client.submit(closed_loop, server.port, images, CLIENTS, rest).result()
    last = server.resident()
    return {
        'requests': requests,
        'early_mb': round(first / 2**20),
        'late_mb': round(last / 2**20),
        'growth': round(last / first - 1, 4),
    }


if __name__ == '__main__':
    sys.exit(main())
