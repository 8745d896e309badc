#!/usr/bin/env python
"""Write one HTML page on what a model has learnt, and its numbers as JSON.

Runs the checkpoint on the config's validation and test set, or takes the
predictions of an earlier tools/test.py --out. Writes report.html,
report.json, test_predictions.pkl and val_predictions.pkl beside the
checkpoint. Exit status: 0 where the page was written, 1 after an error, 2 for
wrong usage.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from custom_datasets.cli import (
    add_cfg_options,
    add_device,
    add_trust,
    progress_bar,
    run_command,
)


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='the leaf config that it was trained with')
    parser.add_argument(
        'checkpoint', nargs='?', help='the weights; not needed with --predictions'
    )
    parser.add_argument(
        '--predictions', metavar='FILE.pkl', help='predictions of the test set'
    )
    parser.add_argument(
        '--val-predictions', metavar='FILE.pkl', help='those of the validation set'
    )
    parser.add_argument(
        '--out',
        metavar='DIR',
        help="the folder (default: the checkpoint's, else work_dirs/<config>)",
    )
    add_device(parser)
    add_cfg_options(parser)
    add_trust(parser)
    args = parser.parse_args(argv)
    if not args.checkpoint and not args.predictions:
        parser.error('give a checkpoint or --predictions')

    def write() -> str:
        from custom_datasets.pages.run_page import write_run_report

        given = {'test': args.predictions, 'validation': args.val_predictions}
        given = {split: path for split, path in given.items() if path}
        with progress_bar('predicting') as progress:
            return write_run_report(
                args.config,
                args.checkpoint,
                given,
                args.out,
                args.cfg_options,
                progress,
                args.device,
            )

    return run_command(write, trust=args.trust)


if __name__ == '__main__':
    sys.exit(main())
