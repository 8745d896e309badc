#!/usr/bin/env python
"""Write one HTML page on how good a generator's pictures are, and its numbers as JSON.

Makes pictures with a trained generator and compares them with the real ones of the test
set: as a set (KID, precision, recall), by class (with --classifier), with the pictures
that it was trained on (copies), and among each other (spread). Writes judge.html and
judge.json into the run's folder. Exit status: 0 where the page was written, 1 after an
error, 2 for wrong usage.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from custom_datasets.cli import (
    add_cfg_options,
    add_device,
    add_trust,
    number,
    progress_bar,
    run_command,
)


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('run', help="the work directory of a generator's run")
    parser.add_argument(
        'checkpoint', nargs='?', help="another checkpoint than the run's best"
    )
    parser.add_argument(
        '--count',
        type=number(3, 10000, whole=True),
        default=50,
        help='pictures that are made of each class (default: 50)',
    )
    parser.add_argument(
        '--seed',
        type=number(0, whole=True),
        default=0,
        help='of the first picture of each class; the next has the next (default: 0)',
    )
    parser.add_argument(
        '--classifier',
        metavar='RUN',
        help="the work directory of a classifier's run on the same classes, best one "
        'that was trained on other pictures',
    )
    parser.add_argument(
        '--out', metavar='DIR', help="the folder for the page (default: the run's)"
    )
    add_device(parser)
    add_cfg_options(parser)
    add_trust(parser)
    args = parser.parse_args(argv)

    def write() -> str:
        from custom_datasets.generation.judging import judge_generator

        return judge_generator(
            args.run,
            args.checkpoint,
            bar=progress_bar,
            count=args.count,
            seed=args.seed,
            classifier=args.classifier,
            out=args.out,
            device=args.device,
            options=args.cfg_options,
            trust=args.trust,
        )

    return run_command(write, trust=args.trust)


if __name__ == '__main__':
    sys.exit(main())
