#!/usr/bin/env python
"""Write one HTML page that shows a config's data: numbers, pictures, faults.

It opens without a network, on a phone too. Exit status: 0 where the page was
written, whatever is in it, 1 after an error, 2 for wrong usage.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from custom_datasets.cli import add_cfg_options, progress_bar, run_command


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='a leaf config, the one to train with')
    parser.add_argument(
        '--out',
        metavar='FILE',
        help='the page (default: work_dirs/<config>/dataset_report.html)',
    )
    add_cfg_options(parser)
    args = parser.parse_args(argv)

    def write() -> str:
        from custom_datasets.pages.data_page import write_report

        with progress_bar('reading') as progress:
            return write_report(args.config, args.cfg_options, args.out, progress)

    return run_command(write)


if __name__ == '__main__':
    sys.exit(main())
