#!/usr/bin/env python
"""Draw a small data set in the format of a real one."""

import argparse
import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from custom_datasets.cli import number, run_command

PACKAGE = 'custom_datasets.samples'
MODULES = {
    'age_gender': 'classes',
    'bccd': 'boxes',
    'face_mask': 'boxes',
    'metal_surface': 'boxes',
    'recycling': 'boxes',
    'waste': 'classes',
    'wider_face': 'boxes',
}


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', help='folder to make')
    parser.add_argument(
        '--format',
        choices=MODULES,
        default='bccd',
        help='default: %(default)s',
    )
    parser.add_argument(
        '--seed', type=number(0, whole=True), default=0, help='default: %(default)s'
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace an OUT made before'
    )
    args = parser.parse_args(argv)

    def draw() -> str:
        from custom_datasets.files import new_folder

        module = importlib.import_module(f'{PACKAGE}.{MODULES[args.format]}')
        with new_folder(args.out, args.overwrite) as folder:
            getattr(module, f'draw_{args.format}')(folder, seed=args.seed)
        return f'{args.out}: drawn in the format of {args.format}'

    return run_command(draw)


if __name__ == '__main__':
    sys.exit(main())
