#!/usr/bin/env python
"""Cut the boxes of a surface-defect JSON into square crops, split 8:1:1."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from custom_datasets.cli import run_command


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('root', help='folder of the raw data')
    parser.add_argument('out', help='folder to make')
    parser.add_argument(
        '--classes',
        nargs='+',
        metavar='NAME',
        help="class names in the order that numbers them (default: GC10's ten)",
    )
    parser.add_argument('--images', default='images', help='default: ROOT/%(default)s')
    parser.add_argument(
        '--annotations',
        default='anno/annotation.json',
        help='default: ROOT/%(default)s',
    )
    parser.add_argument(
        '--zero-based', action='store_true', help='coordinates count pixels from 0'
    )
    parser.add_argument('--seed', type=int, default=0, help='default: %(default)s')
    parser.add_argument(
        '--overwrite', action='store_true', help='replace an OUT that was made before'
    )
    args = parser.parse_args(argv)

    def cut() -> str:
        from custom_datasets.data.defect_crops import convert
        from custom_datasets.datasets.metal_surface import MetalSurfaceDataset

        return convert(
            args.root,
            args.out,
            args.classes or MetalSurfaceDataset.METAINFO['classes'],
            images=args.images,
            annotations=args.annotations,
            one_based=not args.zero_based,
            seed=args.seed,
            overwrite=args.overwrite,
        )

    return run_command(cut)


if __name__ == '__main__':
    sys.exit(main())
