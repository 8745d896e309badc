#!/usr/bin/env python
"""Tag images with what a trained detector finds on them, as JSON.

Exit status: 0, or 1 if something could not be read; the tags of the other images are
printed.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from custom_datasets.cli import add_cfg_options, add_trust, number, run_command
from custom_datasets.predicting.config import quiet


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='the leaf that it was trained with')
    parser.add_argument('checkpoint', help='what training left')
    parser.add_argument('images', nargs='+', help='image files')
    parser.add_argument(
        '--threshold',
        type=number(0, 1),
        default=0.3,
        help='lowest score that counts (default: %(default)s)',
    )
    add_cfg_options(parser)
    add_trust(parser)
    args = parser.parse_args(argv)

    problems: list[str] = []

    def tag() -> str:
        # Some packages greet on stdout, which is for the JSON.
        with quiet():
            from custom_datasets.predicting.detector import tag_images

        found, said = tag_images(
            args.images, args.config, args.checkpoint, args.threshold, args.cfg_options
        )
        problems.extend(said)
        return found

    status = run_command(tag, trust=args.trust)
    for problem in problems:
        print(f'error: {problem}', file=sys.stderr)
    return 1 if problems else status


if __name__ == '__main__':
    sys.exit(main())
