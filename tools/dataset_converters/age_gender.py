#!/usr/bin/env python
"""Cut the faces out of portraits with an age and a gender, into squares of 224."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from custom_datasets.cli import add_device, add_trust, number, progress_bar, run_command


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'root',
        help='folder of class folders (20s_male, ...), or a CSV of path, age, gender',
    )
    parser.add_argument('out', help='folder to make')
    parser.add_argument(
        '--test',
        nargs='+',
        default=[],
        metavar='ROOT',
        help='other sources, like root, to test on',
    )
    parser.add_argument(
        '--detector',
        nargs=2,
        metavar=('CONFIG', 'CHECKPOINT'),
        help="detector of faces (default: OpenCV's cascade)",
    )
    parser.add_argument(
        '--margin',
        type=number(0),
        default=0.3,
        help="share of the face's side to add on each side (default: %(default)s)",
    )
    parser.add_argument('--seed', type=int, default=0, help='default: %(default)s')
    parser.add_argument(
        '--overwrite', action='store_true', help='replace an OUT that was made before'
    )
    add_device(parser)
    add_trust(parser)
    args = parser.parse_args(argv)

    def crop() -> str:
        from custom_datasets.datasets.age_gender import AgeGenderDataset
        from custom_datasets.predicting.face_crops import (
            cascade_faces,
            convert,
            detector_faces,
        )

        find = cascade_faces()
        if args.detector:
            config, checkpoint = args.detector
            find = detector_faces(config, checkpoint, args.device)
        with progress_bar('faces') as show:
            return convert(
                args.root,
                args.out,
                AgeGenderDataset.METAINFO['classes'],
                find,
                test=args.test,
                margin=args.margin,
                seed=args.seed,
                overwrite=args.overwrite,
                progress=show,
            )

    return run_command(crop, trust=args.trust)


if __name__ == '__main__':
    sys.exit(main())
