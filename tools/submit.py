#!/usr/bin/env python
"""Turn predictions of tools/test.py --out into a competition's file.

A detector's become a CSV of image_id,PredictionString or, where --out ends in
.json, COCO's results; a classifier's become a CSV of id,label. The images need no
annotations. With --sample the file has the columns, the images and their order of
a sample submission, and whatever does not fit it is an error. Exit status: 0, 1
after an error, 2 for wrong usage.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from custom_datasets.cli import add_cfg_options, add_trust, run_command


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    from custom_datasets.predicting.sample import FORMS, STYLES
    from custom_datasets.predicting.tables import ORDER

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'predictions', metavar='PRED.pkl', help='what tools/test.py --out wrote'
    )
    parser.add_argument(
        '--out', required=True, metavar='FILE', help='file to write: .csv, or .json'
    )
    parser.add_argument(
        '--sample', metavar='SAMPLE.csv', help="the competition's sample submission"
    )
    parser.add_argument(
        '--config',
        help="the model's config, for the names of its classes; needed for .json, for "
        '--labels names and for columns named like classes',
    )
    parser.add_argument(
        '--order',
        default=ORDER,
        help=f"what is written for a box (default: '{ORDER}'); also width, height",
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
        help="what an image is called: its file's name without extension (stem) or "
        "with (name), its path, or the data set's id (default: as in --sample, or "
        'stem)',
    )
    parser.add_argument(
        '--score-thr',
        type=float,
        default=0.0,
        metavar='SCORE',
        help='leave out boxes of a lower score (default: 0, best for an AP)',
    )
    parser.add_argument(
        '--coco',
        metavar='FILE.json',
        help="has the ids for .json (default: the file of the config's test set)",
    )
    add_cfg_options(parser)
    add_trust(parser)
    args = parser.parse_args(argv)

    def write() -> str:
        from custom_datasets.predicting.submit import Request, write_submission

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

    return run_command(write, trust=args.trust)


if __name__ == '__main__':
    sys.exit(main())
