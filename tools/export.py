#!/usr/bin/env python
"""Export a trained model to a folder that runs without PyTorch and mmdet.

Give a run's work directory, or a config and a checkpoint. The folder has the model with
its NMS, model.json, labels.txt, README.md and a predict.py of its own; the predict.py,
serve.py and demo_app.py of these tools take it where they take a run. What is written
is compared with PyTorch, image by image; where they differ, nothing is written and the
exit status is 1. Then size, metric and speed of each are measured. Needs the extra
`export`.
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
from custom_datasets.files import require_free
from custom_datasets.predicting.run_folder import require_model

NEEDED = {'openvino': ('openvino',), 'onnx': ('onnx', 'onnxruntime')}


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.max_drop is not None and args.precision != 'int8':
        parser.error('--max-drop: is about int8; give --int8 as well')

    def say(line: str) -> None:
        print(line, file=sys.stderr)

    def action() -> str:
        runtimes = list(NEEDED) if args.to == 'both' else [args.to]
        needed = [name for to in runtimes for name in NEEDED[to]]
        if args.precision == 'int8':
            needed.append('nncf')
        require_extra('export', needed)
        # What is refused at a glance is refused before seconds of imports.
        require_model(args.model)
        require_free(args.out, args.overwrite)
        from custom_datasets.export.export import MAX_DROP, Request, export_model

        request = Request(
            model=args.model,
            out=args.out,
            checkpoint=args.checkpoint,
            runtimes=runtimes,
            size=tuple(args.size) if args.size else None,
            batch=args.batch,
            precision=args.precision,
            max_drop=MAX_DROP if args.max_drop is None else args.max_drop,
            images=args.images,
            overwrite=args.overwrite,
            options=args.cfg_options,
            trust=args.trust,
        )
        with progress_bar('comparing', 'images') as progress:
            return '\n'.join(export_model(request, progress, say))

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
        type=number(1, 16384, whole=True),
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
    precision = parser.add_mutually_exclusive_group()
    precision.add_argument(
        '--int8',
        action='store_const',
        dest='precision',
        const='int8',
        default='float32',
        help='a quarter of the size, and the fastest; calibrated on the validation set',
    )
    precision.add_argument(
        '--fp16',
        action='store_const',
        dest='precision',
        const='float16',
        help='half the size; OpenVINO computes in float16 or bfloat16 where the '
        'processor does',
    )
    parser.add_argument(
        '--max-drop',
        type=number(0, 1),
        metavar='SHARE',
        help='where int8 loses more of COCO AP or top-1 on the validation set, layers '
        'stay in float (default: 0.003)',
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
    if text == 'dynamic':
        return None
    try:
        return int(number(1, 1024, whole=True)(text))
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, or 'dynamic'") from error


if __name__ == '__main__':
    sys.exit(main())
