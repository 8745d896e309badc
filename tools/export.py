#!/usr/bin/env python
"""Export a trained model to a folder that runs without PyTorch and mmdet.

Give a run's work directory, or a config and a checkpoint. The folder has the model with
its NMS, model.json, labels.txt, README.md and a predict.py of its own; the predict.py,
serve.py and demo_app.py of these tools take it where they take a run. What is written
is compared with PyTorch, image by image; where they differ, nothing is written and the
exit status is 1. Needs the extra `export`.
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
    require_extra,
    run_command,
)

NEEDED = {'openvino': ('openvino',), 'onnx': ('onnx', 'onnxruntime')}


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    args = _parser().parse_args(argv)

    def action() -> str:
        runtimes = list(NEEDED) if args.to == 'both' else [args.to]
        require_extra('export', [name for to in runtimes for name in NEEDED[to]])
        from custom_datasets.export.export import Request, export_model

        request = Request(
            model=args.model,
            out=args.out,
            checkpoint=args.checkpoint,
            runtimes=runtimes,
            size=tuple(args.size) if args.size else None,
            batch=args.batch,
            images=args.images,
            overwrite=args.overwrite,
            options=args.cfg_options,
            trust=args.trust,
        )
        with progress_bar('comparing', 'images') as progress:
            return '\n'.join(export_model(request, progress))

    return run_command(action, trust=args.trust)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'model', metavar='RUN|CONFIG', help="a run's work directory, or a config"
    )
    parser.add_argument(
        'checkpoint',
        nargs='?',
        metavar='CHECKPOINT',
        help="default: the run's best, else its last",
    )
    parser.add_argument(
        '--out', required=True, metavar='DIR', help='the folder to make'
    )
    parser.add_argument(
        '--to',
        choices=(*NEEDED, 'both'),
        default='openvino',
        help='what is to run it (default: %(default)s)',
    )
    parser.add_argument(
        '--size',
        nargs=2,
        type=number(1, whole=True),
        metavar=('W', 'H'),
        help='width and height that images are fitted into (default: those of the '
        'test pipeline)',
    )
    parser.add_argument(
        '--batch',
        type=_batch,
        default=1,
        metavar='N|dynamic',
        help='images in a run; dynamic, any number, is for classifiers (default: '
        '%(default)s)',
    )
    parser.add_argument(
        '--images',
        type=number(1, whole=True),
        metavar='N',
        help='compare on the first N images of the test set, else of the validation '
        'set, else drawn ones (default: all of them)',
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace an earlier export in --out'
    )
    add_trust(parser)
    add_cfg_options(parser)
    return parser


def _batch(text: str) -> int | None:
    return None if text == 'dynamic' else int(number(1, whole=True)(text))


if __name__ == '__main__':
    sys.exit(main())
