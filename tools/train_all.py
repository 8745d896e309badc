#!/usr/bin/env python
"""Train and test several configs, and compare them.

Each is trained by tools/train.py in <work-dir>/<config>, and its last checkpoint is
evaluated by tools/analysis_tools/report.py. They train one per GPU, or in turn; one
that fails does not stop the others. The table of tools/analysis_tools/compare.py
comes last, with compare.html and compare.md. After an interruption, run the same
command again: it continues.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from custom_datasets.cli import (
    add_cfg_options,
    add_trust,
    number,
    progress_bar,
    run_command,
)


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    args = make_parser().parse_args(argv)

    def train() -> str:
        from custom_datasets.runs.train_all import WORK_DIR, train_all

        with progress_bar('epochs of all configs') as progress:
            return train_all(
                args.configs,
                options=args.cfg_options,
                gpus=args.gpus,
                work_dir=args.work_dir or WORK_DIR,
                trust=args.trust,
                say=lambda line: print(line, flush=True),
                progress=progress,
            )

    return run_command(train, trust=args.trust)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('configs', nargs='+', metavar='CONFIG', help='leaf configs')
    parser.add_argument(
        '--gpus',
        type=number(1, whole=True),
        metavar='N',
        help='configs to train at once, one per GPU (default: all GPUs)',
    )
    parser.add_argument('--work-dir', help='default: work_dirs/train_all')
    add_cfg_options(parser, as_text=True)
    add_trust(parser)
    return parser


if __name__ == '__main__':
    sys.exit(main())
