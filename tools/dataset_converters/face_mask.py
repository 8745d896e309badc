#!/usr/bin/env python
"""Write the train, val and test lists of the face mask set (8:1:1)."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from custom_datasets.cli import run_command


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('root', help='folder that holds images/ and annotations/')
    parser.add_argument(
        '--out', help='where ROOT is read-only: a folder for lists and links to it'
    )
    parser.add_argument('--seed', type=int, default=0, help='default: %(default)s')
    parser.add_argument(
        '--overwrite', action='store_true', help='replace a different split'
    )
    args = parser.parse_args(argv)

    def split() -> str:
        from custom_datasets.data.face_mask import write_split
        from custom_datasets.datasets.face_mask import FaceMaskDataset

        return write_split(
            args.root,
            FaceMaskDataset.METAINFO['classes'],
            out=args.out,
            seed=args.seed,
            overwrite=args.overwrite,
        )

    return run_command(split)


if __name__ == '__main__':
    sys.exit(main())
