#!/usr/bin/env python
"""Draw a sample, train RetinaNet R18 on it, test it, write the report."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from custom_datasets.cli import run_command
from custom_datasets.demo import run_demo


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--data-root', default='data/sample', help='default: %(default)s'
    )
    parser.add_argument(
        '--work-dir', default='work_dirs/sample', help='default: %(default)s'
    )
    args = parser.parse_args(argv)
    return run_command(lambda: run_demo(args.data_root, args.work_dir))


if __name__ == '__main__':
    sys.exit(main())
