#!/usr/bin/env python
"""Train and test a config on each of K folds, and show mean and spread.

Makes the folds (lists beside the config's own) unless they exist, trains each by
tools/train.py in work_dirs/<config>/fold_K, tests it on the images it holds out,
and writes the predictions of all images into one file. Folds train one per GPU, or
in turn. After an interruption, run the same command again: it continues.
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

    def validate() -> str:
        from custom_datasets.runs.cross_validation import cross_validate

        with progress_bar('epochs of all folds') as progress:
            return cross_validate(
                args.config,
                args.folds,
                options=args.cfg_options,
                seed=args.seed,
                gpus=args.gpus,
                predict=args.predict,
                work_dir=args.work_dir,
                trust=args.trust,
                say=lambda line: print(line, flush=True),
                progress=progress,
            )

    return run_command(validate, trust=args.trust)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='a leaf config')
    parser.add_argument(
        '--folds',
        type=number(2, whole=True),
        default=5,
        metavar='K',
        help='default: %(default)s',
    )
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='of a new split; the seed of the training is randomness.seed '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--gpus',
        type=number(1, whole=True),
        metavar='N',
        help='folds to train at once, one per GPU (default: all GPUs)',
    )
    parser.add_argument(
        '--predict',
        action='store_true',
        help="let each fold's model predict the config's test set, which needs no "
        'annotations, and write their ensemble into test_set_predictions.pkl',
    )
    parser.add_argument('--work-dir', help='default: work_dirs/<config>')
    add_cfg_options(parser, as_text=True)
    add_trust(parser)
    return parser


if __name__ == '__main__':
    sys.exit(main())
