#!/usr/bin/env python
"""Convert a data set, a folder or a zip, into VOC, COCO, YOLO or class lists."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from custom_datasets.cli import SKIP_BROKEN, run_command
from custom_datasets.errors import AnnotationError, UserError


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    from custom_datasets.data.convert import FORMATS, TARGETS, convert

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', help='folder or zip; it is only read')
    parser.add_argument(
        'destination', help="folder to make; it has all of the source's classes"
    )
    parser.add_argument(
        '--from',
        dest='source_format',
        choices=FORMATS,
        help='what SOURCE is (default: found by looking)',
    )
    parser.add_argument(
        '--to',
        choices=TARGETS,
        help='what to write (default: voc; class-lists for class folders)',
    )
    base = parser.add_mutually_exclusive_group()
    base.add_argument(
        '--zero-based',
        dest='counts_from',
        action='store_const',
        const=0,
        help='coordinates of VOC or metal-surface files count pixels from 0 '
        '(default: they do if a box begins at 0)',
    )
    base.add_argument(
        '--one-based',
        dest='counts_from',
        action='store_const',
        const=1,
        help='they count from 1',
    )
    parser.add_argument(
        '--skip-broken',
        action='store_true',
        help='leave out images that cannot be read, or whose annotation cannot',
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace a DESTINATION made before'
    )
    args = parser.parse_args(argv)

    def run() -> str:
        try:
            return convert(**vars(args))
        except AnnotationError as error:
            if args.skip_broken:
                raise
            raise UserError(f'{error}\n{SKIP_BROKEN}') from error

    return run_command(run)


if __name__ == '__main__':
    sys.exit(main())
