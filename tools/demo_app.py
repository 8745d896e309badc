#!/usr/bin/env python
"""Show a trained model on a web page: upload, webcam, and advice on what was found.

Give a run's work directory, or a config and --checkpoint. The page is in English or in
Korean, as the browser prefers. Pictures are deleted within seconds, and nothing is sent
anywhere. Needs the extra `demo`.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from custom_datasets.cli import (
    add_cfg_options,
    add_device,
    add_served_model,
    add_trust,
    number,
    require_extra,
    run_command,
)

EXAMPLES = 6
"""Pictures of the test set that --examples shows."""


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    args = _parser().parse_args(argv)
    status = 0

    def action() -> None:
        nonlocal status
        require_extra('demo', ('gradio', 'fastapi', 'uvicorn', 'prometheus_client'))
        from custom_datasets.serving.limits import Limits, Service
        from custom_datasets.serving.server import limit_opencv

        limit_opencv(Limits().pixels)
        from custom_datasets.serving.demo_app import read_content, run_demo

        service = Service(
            model=args.model,
            checkpoint=args.checkpoint,
            device=args.device,
            options=args.cfg_options,
            trust=args.trust,
            load_first=True,
        )
        content = read_content(service, args.advice, args.examples, args.title)
        status = run_demo(service, content, args.host, args.port, args.with_api)

    return run_command(action, trust=args.trust) or status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add_served_model(parser, port=7860)
    parser.add_argument(
        '--advice',
        metavar='FILE',
        help='YAML with advice on each class (default: the one that the config names)',
    )
    parser.add_argument(
        '--examples',
        type=number(1, whole=True),
        nargs='?',
        const=EXAMPLES,
        default=0,
        metavar='N',
        help=f'show N pictures of the test set to choose from ({EXAMPLES} where N is '
        'left out); whoever reaches the page sees them',
    )
    parser.add_argument(
        '--title',
        default='',
        metavar='TEXT',
        help="what the page is called (default: the run's folder, or the config)",
    )
    parser.add_argument(
        '--with-api',
        action='store_true',
        help='serve POST /tag and /predict, too, as tools/serve.py does, and the page '
        'at /demo',
    )
    add_device(parser)
    add_trust(parser)
    add_cfg_options(parser)
    return parser


if __name__ == '__main__':
    sys.exit(main())
