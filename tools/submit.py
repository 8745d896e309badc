#!/usr/bin/env python
"""Make a competition's file out of predictions of tools/test.py --out.

A detector's become a CSV of image_id,PredictionString or, where --out ends in
.json, COCO's results; a classifier's a CSV of id,label. They need no truth. With
--sample the columns, the images and their order are the sample's, and what does
not fit is an error. Boxes are cut at the image's edges. Exit status: 0, 1 after an
error, 2 for wrong usage.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from custom_datasets.cli import add_cfg_options, run_command


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    from custom_datasets.submission.boxes import ORDER
    from custom_datasets.submission.identity import FORMS
    from custom_datasets.submission.labels import STYLES

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('predictions', metavar='PRED.pkl')
    parser.add_argument('--out', required=True, metavar='FILE', help='.csv or .json')
    parser.add_argument(
        '--config',
        help='for the names of the classes and the COCO file of the test set',
    )
    parser.add_argument('--sample', metavar='SAMPLE.csv', help='a sample submission')
    parser.add_argument(
        '--order',
        default=ORDER,
        help=f"what a box is written as (default: '{ORDER}'; also width and height)",
    )
    parser.add_argument(
        '--labels',
        choices=STYLES,
        default='0',
        help='numbers from 0 (default), numbers from 1, or names',
    )
    parser.add_argument(
        '--id',
        choices=FORMS,
        dest='id_form',
        help='what an image is called: its file without or with its ending, its path, '
        "or the data set's id (default: as in --sample, else the first)",
    )
    parser.add_argument(
        '--score-thr', type=float, default=0.0, help='leave out boxes of a lower score'
    )
    parser.add_argument(
        '--coco', metavar='FILE.json', help='has the ids for a .json (default: config)'
    )
    add_cfg_options(parser)
    args = parser.parse_args(argv)

    def write() -> str:
        from custom_datasets.submission.submit import Request, write_submission

        return write_submission(
            Request(
                path=args.predictions,
                out=args.out,
                config=args.config,
                options=args.cfg_options,
                sample=args.sample,
                coco=args.coco,
                order=args.order,
                labels=args.labels,
                id_form=args.id_form,
                threshold=args.score_thr,
            )
        )

    return run_command(write)


if __name__ == '__main__':
    sys.exit(main())
