#!/usr/bin/env python
"""Predict on images, folders, zips, videos, cameras and streams.

Give a run's work directory, a folder that tools/export.py wrote, or a config and a
checkpoint; then what to predict on.
Painted images and videos, predictions.jsonl and what else is asked for go to a new
folder beside the checkpoint. After Ctrl-C the same command goes on. Exit status: 0; 1
if something could not be used; 130 after Ctrl-C, which is how a camera ends: 0.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from custom_datasets.cli import (
    INTERRUPTED,
    add_cfg_options,
    add_device,
    add_engine,
    add_threshold,
    add_trust,
    find_config,
    number,
    progress_bar,
    require_extra,
    run_command,
)


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = _parser()
    args = parser.parse_args(argv)
    sources = list(args.source)
    checkpoint = None
    if find_config([args.model]):
        checkpoint = sources.pop(0)
        if not checkpoint.endswith('.pth') and (
            not sources or Path(checkpoint).is_dir()
        ):
            parser.error(
                f'{args.model} is a config: name a checkpoint (.pth) behind it, or '
                "give a run's folder instead of both"
            )
    if not sources:
        parser.error('nothing to predict on: name images, a folder, a video, ...')
    written = (args.csv, args.coco, args.crops, args.save_labels, args.out)
    if args.tags and any(written):
        parser.error('--tags prints, and writes no files: leave out one or the other')
    if args.tags and args.engine == 'ray':
        parser.error('--tags prints, and --engine ray writes files: leave out one')
    status = 0

    def action() -> str:
        nonlocal status
        settings = None
        if args.engine == 'ray':
            require_extra('ray', ('ray',))
            from custom_datasets.predicting import cluster

            settings = cluster.read_settings(args.ray_config)
        from custom_datasets.predicting.config import quiet

        # Some packages greet on stdout, which may be for JSON.
        with quiet():
            from custom_datasets.predicting import job
            from custom_datasets.predicting.job_folder import Request
            from custom_datasets.predicting.predictor import Predictor
            from custom_datasets.predicting.writers import Outputs

            options = {
                'threshold': args.threshold,
                'device': args.device,
                'options': args.cfg_options,
                'calibrate': not args.no_calibration,
                'trust': args.trust,
            }
            paths = [args.model] if checkpoint is None else [args.model, checkpoint]
            load = partial(Predictor.open, **options)
            predictor = load(*paths)
        print(predictor, file=sys.stderr)
        outputs = Outputs(
            painted=not args.no_painted,
            csv=args.csv,
            coco=args.coco,
            crops=args.crops,
            labels=args.save_labels,
            model=predictor.checkpoint,
        )
        request = Request(
            sources, outputs, args.out, args.overwrite, args.every, args.batch_size
        )
        spread = None
        if settings:
            places = map(cluster.place_everywhere, paths)
            spread = cluster.spread_predictor(partial(load, *places), settings)
        with progress_bar('predicting', 'images') as progress:
            if args.tags:
                text, problems, notes = job.tag_sources(
                    predictor, request, args.tags, progress, not _prints_all()
                )
                for note in notes:  # Standard output is for the JSON.
                    print(note, file=sys.stderr)
            else:
                outcome = job.predict_sources(predictor, request, progress, spread)
                text, problems = '\n'.join(outcome.notes), outcome.problems
                if outcome.interrupted:
                    status = INTERRUPTED
                    text += '\nInterrupted; the same command goes on'
        for problem in problems:
            print(f'error: {problem}', file=sys.stderr)
        status = status or int(bool(problems))
        return text

    return run_command(action, trust=args.trust) or status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        usage='%(prog)s RUN|EXPORT|CONFIG [CHECKPOINT] SOURCE... [options]',
    )
    parser.add_argument(
        'model',
        metavar='RUN|EXPORT|CONFIG [CHECKPOINT]',
        help="a run's work directory, whose best checkpoint is taken, else its last; "
        'or a config and a checkpoint',
    )
    parser.add_argument(
        'source',
        metavar='SOURCE',
        nargs='+',
        help="images, folders, globs, zips, videos, a camera's number, a stream's "
        'address',
    )
    add_threshold(parser)
    parser.add_argument(
        '--no-calibration',
        action='store_true',
        help="a classifier's probabilities as they are, without the report's "
        'temperature',
    )
    parser.add_argument(
        '--out',
        metavar='DIR',
        help='where all goes (default: predictions/<time> beside the checkpoint)',
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace the predictions in --out'
    )
    parser.add_argument(
        '--no-painted', action='store_true', help='paint no images and videos'
    )
    parser.add_argument(
        '--csv', action='store_true', help='a table, a row per box or image'
    )
    parser.add_argument(
        '--coco', action='store_true', help="COCO's results, with the ids they mean"
    )
    parser.add_argument(
        '--crops',
        action='store_true',
        help='what is in each box, in a folder per predicted class; of a classifier '
        'the images',
    )
    parser.add_argument(
        '--save-labels',
        choices=('voc', 'yolo', 'coco'),
        help='annotations to correct, marked as predicted',
    )
    parser.add_argument(
        '--tags',
        choices=('list', 'dict'),
        help='write nothing, and print the classes on each image as JSON; a dict has '
        'scores and boxes',
    )
    parser.add_argument(
        '--every',
        type=number(1, whole=True),
        default=1,
        metavar='N',
        help='take every Nth frame of a video (default: %(default)s)',
    )
    parser.add_argument(
        '--batch-size',
        type=number(1, whole=True),
        metavar='N',
        help='images per run of the network (default: what the config tests with)',
    )
    add_engine(parser)
    add_device(parser)
    add_trust(parser)
    add_cfg_options(parser)
    return parser


def _prints_all() -> bool:
    return (sys.stdout.encoding or '').lower().replace('-', '') == 'utf8'


if __name__ == '__main__':
    sys.exit(main())
