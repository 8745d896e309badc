#!/usr/bin/env python
"""Time ``tools/check.py`` twice: reading all files, then from the cache.

On drawn JPEGs of 640x480 with ten boxes each, or on BCCD where its folder is
given. Prints one line of JSON: seconds of both runs, images a second, and the
most memory that all processes of the first held at one time (resident sets as
Linux reports them, shared pages counted twice). Drawing is not counted.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import simplejpeg

from custom_datasets.files import write_text

ROOT = Path(__file__).resolve().parents[1]
SIZE = (640, 480)
LEAVES = {
    'drawn': 'configs/sample/retinanet_r18_fpn_1xb8-12e_sample.py',
    'bccd': 'configs/bccd/retinanet_r18_fpn_1xb4-24e_bccd.py',
}
CLASSES = ('RBC', 'WBC', 'Platelets')


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--bccd', help='folder of BCCD, to check that instead')
    parser.add_argument('--count', type=int, default=10_000, help='images to draw')
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        if not args.bccd:
            draw(f'{folder}/data', args.count)
        leaf = LEAVES['bccd' if args.bccd else 'drawn']
        data = args.bccd or f'{folder}/data'
        first, memory, images = check(leaf, data, folder)
        second, _, _ = check(leaf, data, folder)
    result = {
        'benchmark': 'check',
        'data': 'BCCD' if args.bccd else 'drawn',
        'images': images,
        'first_s': round(first, 2),
        'second_s': round(second, 2),
        'ratio': round(first / second, 1),
        'images_per_s': round(images / first, 1),
        'memory_mb': round(memory / 2**20),
    }
    print(json.dumps(result))
    return 0


def check(leaf: str, data: str, folder: str) -> tuple[float, int, int]:
    """Run the command; returns seconds, bytes of memory and the count of images."""
    command = [sys.executable, 'tools/check.py', leaf]
    command += ['--cfg-options', f'data_root={data}']
    environment = {**os.environ, 'XDG_CACHE_HOME': f'{folder}/cache'}
    start, memory = time.perf_counter(), 0
    with tempfile.TemporaryFile('w+') as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=out, stderr=out
        )
        while process.poll() is None:
            memory = max(memory, resident(process.pid))
            time.sleep(0.02)
        seconds = time.perf_counter() - start
        out.seek(0)
        last = out.read().splitlines()[-1]
    return seconds, memory, int(last.split('; ')[1].split()[0])


def resident(pid: int) -> int:
    """Return the memory of a process and of all below it, in bytes."""
    pages = (_read(Path(f'/proc/{pid}/statm')) or '0 0').split()[1]
    tasks = Path(f'/proc/{pid}/task').glob('*/children')
    children = [int(child) for task in tasks for child in _read(task).split()]
    return int(pages) * os.sysconf('SC_PAGE_SIZE') + sum(map(resident, children))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # The process has ended.
        return ''


def draw(root: str, count: int) -> None:
    """Draw ellipses on noise in BCCD's layout, 8:1:1; no two images are alike."""
    rng = np.random.default_rng(0)
    width, height = SIZE
    noise = rng.normal(128, 12, (2 * height, 2 * width, 3)).clip(0, 255)
    texture = cv2.GaussianBlur(noise.astype(np.uint8), (3, 3), 0)
    os.makedirs(f'{root}/JPEGImages')
    names: dict[str, list[str]] = {'train': [], 'val': [], 'test': []}
    for index in range(count):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        image = texture[y : y + height, x : x + width].copy()
        objects = ''
        for number, values in enumerate(rng.integers(0, 256, (10, 7)).tolist()):
            cx, cy = 90 + values[0] * 460 // 256, 90 + values[1] * 300 // 256
            axes = 10 + values[2] // 4, 10 + values[3] // 4
            cv2.ellipse(image, (cx, cy), axes, 0, 0, 360, values[4:], -1)
            box = (cx - axes[0], cy - axes[1], cx + axes[0], cy + axes[1])
            objects += _object(CLASSES[number % 3], box)
        name = f'drawn{index:05d}'
        with open(f'{root}/JPEGImages/{name}.jpg', 'wb') as file:
            file.write(simplejpeg.encode_jpeg(image, 90, 'BGR', '420'))
        write_text(
            f'{root}/Annotations/{name}.xml',
            f'<annotation><filename>{name}.jpg</filename><size><width>{width}</width>'
            f'<height>{height}</height><depth>3</depth></size>{objects}</annotation>',
        )
        names['val' if index % 10 == 8 else 'test' if index % 10 == 9 else 'train'] += [
            name
        ]
    for part, listed in names.items():
        write_text(f'{root}/ImageSets/Main/{part}.txt', '\n'.join(listed) + '\n')


def _object(name: str, box: tuple[int, int, int, int]) -> str:
    sides = zip(('xmin', 'ymin', 'xmax', 'ymax'), box, strict=True)
    inner = ''.join(f'<{side}>{value}</{side}>' for side, value in sides)
    return (
        f'<object><name>{name}</name><difficult>0</difficult>'
        f'<bndbox>{inner}</bndbox></object>'
    )


if __name__ == '__main__':
    sys.exit(main())
