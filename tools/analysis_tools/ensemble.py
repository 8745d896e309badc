#!/usr/bin/env python
"""Make one file of predictions out of several models', folds' or scales'.

All files are those of tools/test.py --out, on the same images in any order; so is
the file that is written, and whatever reads predictions reads an ensemble's. With
--val (the same models' predictions on the validation set, in the same order), the
method, the threshold and the weights that are not given are searched for there, and
then applied. Detectors: weighted boxes fusion (wbf), nms, soft-nms, nmw. Classifiers:
mean of probabilities (mean) or of logits (logits). Exit status: 0, 1 after an
error, 2 for wrong usage.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from custom_datasets.cli import add_trust, progress_bar, run_command


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    from custom_datasets.predicting.ensemble import METHODS

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'predictions', nargs='+', metavar='PRED.pkl', help='one file per model'
    )
    parser.add_argument(
        '--out', required=True, metavar='FILE.pkl', help='file to write'
    )
    parser.add_argument('--method', choices=METHODS, help='default: wbf or mean')
    parser.add_argument(
        '--iou', type=float, help='boxes that overlap more are one (default: 0.55)'
    )
    parser.add_argument(
        '--weights', nargs='+', type=float, metavar='W', help='one per model'
    )
    parser.add_argument(
        '--val', nargs='+', default=[], metavar='VPRED.pkl', help='one file per model'
    )
    parser.add_argument(
        '--val-out', metavar='FILE.pkl', help='where the predictions for --val go'
    )
    add_trust(parser)
    args = parser.parse_args(argv)

    def make() -> str:
        from custom_datasets.predicting.ensemble import Request, make_ensemble

        request = Request(
            paths=args.predictions,
            out=args.out,
            val_paths=args.val,
            val_out=args.val_out,
            method=args.method,
            weights=args.weights,
            iou=args.iou,
        )
        with progress_bar('searching') as progress:
            return make_ensemble(request, progress)

    return run_command(make, trust=args.trust)


if __name__ == '__main__':
    sys.exit(main())
