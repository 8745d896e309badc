#!/usr/bin/env python
"""Serve a trained model over HTTP.

Give a run's work directory, or a config and --checkpoint. POST an image to /tag for the
classes on it, or to /predict for boxes or probabilities; /docs describes all routes.
SIGTERM answers what was accepted and ends; SIGHUP loads the run's checkpoint again.
Needs the extra `serve`.
"""

import argparse
import os
import sys
from dataclasses import fields
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from custom_datasets.cli import (
    add_cfg_options,
    add_device,
    add_engine,
    add_served_model,
    add_threshold,
    add_trust,
    number,
    require_extra,
    run_command,
)
from custom_datasets.errors import UserError

KEY = 'SERVE_KEY'
"""The environment variable that may hold the key."""

MOST_WORKERS = 64
"""More copies of a model would fill the memory before anybody reads what went wrong."""


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    from custom_datasets.serving.limits import Limits, Service

    parser = _parser()
    args = parser.parse_args(argv)
    if args.engine == 'ray':
        queue = parser.get_default('max_queue')
        if args.workers > 1 or args.max_queue != queue:
            parser.error(
                '--workers, --max-queue: with --engine ray, the file of --ray-config '
                'says how many processes there are, and how many images wait'
            )
    status = 0

    def action() -> None:
        nonlocal status
        require_extra('serve', ('fastapi', 'uvicorn', 'prometheus_client'))
        names = [row.name for row in fields(Limits)]
        service = Service(
            model=args.model,
            checkpoint=args.checkpoint,
            threshold=args.threshold,
            device=args.device,
            options=args.cfg_options,
            trust=args.trust,
            key=_read_key(args.key_file),
            origins=tuple(args.allow_origin),
            example=args.example,
            load_first=args.workers > 1,
            limits=Limits(**{name: getattr(args, f'max_{name}') for name in names}),
        )
        if args.engine == 'ray':
            require_extra('ray', ('ray',))
            from custom_datasets.predicting.cluster import read_settings
            from custom_datasets.serving.ray_server import run_on_ray

            status = run_on_ray(
                service,
                read_settings(args.ray_config),
                args.host,
                args.port,
                args.log == 'json',
            )
            return
        from custom_datasets.serving.server import run_server

        status = run_server(
            service, args.host, args.port, args.workers, args.log == 'json'
        )

    return run_command(action, trust=args.trust) or status


def _parser() -> argparse.ArgumentParser:
    from custom_datasets.serving.limits import Limits

    parser = argparse.ArgumentParser(description=__doc__)
    add_served_model(parser, port=8000)
    add_threshold(parser, ' where a request says none')
    parser.add_argument(
        '--workers',
        type=number(1, MOST_WORKERS, whole=True),
        default=1,
        metavar='N',
        help='processes, each with a model of its own (default: %(default)s)',
    )
    parser.add_argument(
        '--key-file',
        metavar='FILE',
        help=f'ask for the key in this file, or in ${KEY}: Authorization: Bearer <key>',
    )
    parser.add_argument(
        '--allow-origin',
        action='append',
        default=[],
        metavar='URL',
        help='a web page that may ask from a browser; may be repeated (default: none)',
    )
    parser.add_argument(
        '--example',
        metavar='IMAGE',
        help='a picture for /docs, shown to whoever asks (default: a drawn one)',
    )
    parser.add_argument(
        '--log', choices=('text', 'json'), default='text', help='form of the log'
    )
    limits = parser.add_argument_group('at most')
    for row in fields(Limits):
        whole = isinstance(row.default, int)
        limits.add_argument(
            f'--max-{row.name.replace("_", "-")}',
            type=number(1 if whole else 0, whole=whole),
            default=row.default,
            metavar='N',
            help=f'{row.metadata["text"]} (default: %(default)s)',
        )
    add_engine(parser)
    add_device(parser)
    add_trust(parser)
    add_cfg_options(parser)
    return parser


def _read_key(path: str | None) -> str:
    if path is None:
        return os.environ.get(KEY, '')
    try:
        key = Path(path).read_text(encoding='utf-8').strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'{path}: cannot be read ({error})') from error
    if not key:
        raise UserError(f'{path}: is empty; write the key into it')
    return key


if __name__ == '__main__':
    sys.exit(main())
