#!/usr/bin/env python
"""Write the train, val and test lists of a data set, or those of K folds.

The data set is a VOC folder, a COCO JSON, or a folder with one folder per class.
Each class is in proportion in every part, images that show the same are in one
part, and nothing is moved. The same lists come out on every machine.
"""

import argparse
import math
import re
import sys
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from custom_datasets.cli import number, run_command, source_pattern


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = make_parser()
    args = parser.parse_args(argv)
    if args.folds and args.few_to_train:
        parser.error('--few-to-train: folds have no part that is train alone')
    parts = ('train', 'val') if args.test_list else ('train', 'val', 'test')
    ratios = None
    if args.folds is None:
        shares = args.ratios or [8, 1, 1][: len(parts)]
        if len(shares) != len(parts):
            parser.error(f'--ratios: needs {len(parts)} numbers, {":".join(parts)}')
        ratios = dict(zip(parts, shares, strict=True))

    def split() -> str:
        from custom_datasets.data.split import split_dataset

        return split_dataset(
            args.source,
            ratios,
            folds=args.folds,
            test_list=args.test_list,
            group_by=args.group_by,
            ignore_classes=args.ignore_classes,
            exclude=args.exclude,
            few_to_train=args.few_to_train,
            images=args.images,
            out=args.out,
            seed=args.seed,
            overwrite=args.overwrite,
        )

    return run_command(split)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', help='folder of the data set, or a COCO JSON')
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        '--ratios',
        type=_ratios,
        metavar='TRAIN:VAL:TEST',
        help='default: 8:1:1, or 8:1 beside --test-list',
    )
    how.add_argument(
        '--folds',
        type=number(2, whole=True),
        metavar='K',
        help='K lists to train and validate on instead, for --cfg-options fold=0',
    )
    parser.add_argument(
        '--test-list', metavar='FILE', help='a list that is, and stays, the test part'
    )
    parser.add_argument(
        '--group-by',
        type=source_pattern,
        metavar='REGEX',
        help='what in the names, in its first group, is equal for images of one '
        "source, such as '(.*)_crop'; Roboflow's names are known",
    )
    parser.add_argument(
        '--ignore-classes',
        nargs='+',
        default=[],
        metavar='NAME',
        help='classes that are not counted; their folders are left out',
    )
    parser.add_argument(
        '--exclude',
        metavar='FILE',
        help='images to leave out: the removed.csv of clean.py, or a list',
    )
    parser.add_argument(
        '--few-to-train',
        action='store_true',
        help='classes with too few images for every part are in train only',
    )
    parser.add_argument('--images', help='folder of the images of a COCO JSON')
    parser.add_argument(
        '--out', help='where SOURCE is read-only: a folder for lists and links to it'
    )
    parser.add_argument('--seed', type=int, default=0, help='default: %(default)s')
    parser.add_argument(
        '--overwrite', action='store_true', help='replace a different split'
    )
    return parser


def _ratios(text: str) -> list[int]:
    """Turn ``0.7:0.2:0.1`` into whole numbers."""
    try:
        shares = [Fraction(part) for part in re.split('[:,]', text)]
    except (ValueError, ZeroDivisionError):
        shares = []
    if not shares or min(shares) <= 0:
        raise argparse.ArgumentTypeError(f'{text}: needs positive numbers, as 8:1:1')
    whole = math.lcm(*(share.denominator for share in shares))
    return [int(share * whole) for share in shares]


if __name__ == '__main__':
    sys.exit(main())
