#!/usr/bin/env python
"""Make pictures of a class, or of all, with a trained generator.

Give a run's work directory. Each picture is a PNG named after its class and its seed:
the same seed makes the same picture again. Exit status: 0, or 1 where it can't be done.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

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
    args = _parser().parse_args(argv)

    def action() -> str:
        from custom_datasets.generation.generate import generate_pictures

        with progress_bar('making pictures', 'steps') as show:
            return generate_pictures(
                args.run,
                args.checkpoint,
                names=args.names,
                count=args.count,
                seed=args.seed,
                grid=args.grid,
                out=args.out,
                overwrite=args.overwrite,
                device=args.device,
                options=args.cfg_options,
                trust=args.trust,
                progress=show,
            )

    return run_command(action, trust=args.trust)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('run', help='the work directory of a run')
    parser.add_argument(
        'checkpoint', nargs='?', help="another checkpoint than the run's best"
    )
    parser.add_argument(
        '--class',
        dest='names',
        metavar='NAME',
        action='append',
        help='one class; more than once for several (default: all)',
    )
    parser.add_argument(
        '--count',
        type=number(1, 10000, whole=True),
        default=1,
        help='pictures of each class (default: 1)',
    )
    parser.add_argument(
        '--seed',
        type=number(0, whole=True),
        default=0,
        help='of the first picture of each class; the next has the next (default: 0)',
    )
    parser.add_argument(
        '--grid', action='store_true', help='also write all of them on one: grid.png'
    )
    parser.add_argument(
        '--out', metavar='FOLDER', help="default: 'generated' in the run's folder"
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace pictures that are there'
    )
    add_device(parser)
    add_cfg_options(parser)
    add_trust(parser)
    return parser


if __name__ == '__main__':
    sys.exit(main())
