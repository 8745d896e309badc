#!/usr/bin/env python
"""List the images of class folders that are better left out; none is touched.

These are unreadable or too small, or show the same as another one. Where copies
are in folders of several classes, all are listed. split.py --exclude takes the
list: removed.csv, with a reason for each.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from custom_datasets.cli import progress_bar, run_command


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', help='folder with one folder per class')
    parser.add_argument(
        '--min-side',
        type=int,
        default=64,
        metavar='PIXELS',
        help='the least of the shorter side (default: %(default)s)',
    )
    parser.add_argument(
        '--out', help='folder for the two lists, where SOURCE is read-only'
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace lists that differ'
    )
    args = parser.parse_args(argv)

    def clean() -> str:
        from custom_datasets.data.clean import clean_dataset

        with progress_bar('reading') as progress:
            return clean_dataset(
                args.source,
                min_side=args.min_side,
                out=args.out,
                overwrite=args.overwrite,
                progress=progress,
            )

    return run_command(clean)


if __name__ == '__main__':
    sys.exit(main())
