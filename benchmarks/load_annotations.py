#!/usr/bin/env python
"""Open all BCCD annotations with mmdet's XMLDataset and with ours, in turn.

Prints one line of JSON: XML files a second (the median of the rounds) and how
many times as fast ours is. Time is that of the processor, so that other work on
the machine does not count, and files are in the disk's cache after a round that
is not counted. What mmengine does afterwards with either (serializing the list
for its workers) is left out.
"""

import argparse
import json
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from custom_datasets.datasets.bccd import BCCDDataset

from mmdet.datasets import XMLDataset  # isort: skip
from mmengine.logging import MMLogger  # isort: skip


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'root',
        nargs='?',
        default=os.path.join(os.environ.get('REAL_DATA_ROOT', 'data'), 'bccd'),
        help='folder of BCCD (default: $REAL_DATA_ROOT/bccd)',
    )
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args(argv)
    MMLogger.get_instance('benchmark', log_level=logging.WARNING)
    lists = Path(args.root, 'ImageSets', 'Main')
    if not lists.is_dir():
        parser.error(f'{lists}: no such folder; name that of BCCD')
    names = [
        name
        for part in ('trainval', 'test')
        for name in (lists / f'{part}.txt').read_text().split()
    ]
    with tempfile.TemporaryDirectory() as folder:
        ann_file = os.path.join(folder, 'all.txt')
        Path(ann_file).write_text('\n'.join(names) + '\n')
        loaders = {
            'stock': lambda: XMLDataset(
                ann_file=ann_file,
                data_root=args.root,
                data_prefix={'sub_data_root': args.root},
                metainfo={'classes': BCCDDataset.METAINFO['classes']},
                serialize_data=False,
            ),
            'ours': lambda: BCCDDataset(
                ann_file, data_root=args.root, serialize_data=False
            ),
        }
        seconds = measure(loaders, args.rounds)
    speed = {name: len(names) / statistics.median(s) for name, s in seconds.items()}
    result = {
        'benchmark': 'load_annotations',
        'files': len(names),
        'rounds': args.rounds,
        'stock_files_per_s': round(speed['stock'], 1),
        'ours_files_per_s': round(speed['ours'], 1),
        'ratio': round(speed['ours'] / speed['stock'], 2),
    }
    print(json.dumps(result))
    return 0


def measure(
    loaders: dict[str, Callable[[], object]], rounds: int
) -> dict[str, list[float]]:
    """Return the seconds of each round."""
    seconds: dict[str, list[float]] = {name: [] for name in loaders}
    for index in range(rounds + 1):
        for name, load in loaders.items():
            start = time.process_time()
            load()
            if index:
                seconds[name].append(time.process_time() - start)
    return seconds


if __name__ == '__main__':
    sys.exit(main())
