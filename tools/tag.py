#!/usr/bin/env python
"""Tag images with what a trained detector finds on them, as JSON."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from custom_datasets.cli import add_cfg_options, run_command
from custom_datasets.reporting.quiet import quiet


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='the leaf that it was trained with')
    parser.add_argument('checkpoint', help='what training left')
    parser.add_argument('images', nargs='+', help='image files')
    parser.add_argument(
        '--threshold',
        type=float,
        default=0.3,
        help='score from which on a box counts (default: %(default)s)',
    )
    add_cfg_options(parser)
    args = parser.parse_args(argv)

    def tag() -> str:
        # Some packages greet on stdout, which is for the JSON.
        with quiet():
            from custom_datasets.tagging import tag_images

        return tag_images(
            args.images, args.config, args.checkpoint, args.threshold, args.cfg_options
        )

    return run_command(tag)


if __name__ == '__main__':
    sys.exit(main())
