#!/usr/bin/env python
"""Check a config, its data and the machine before a run is started.

docs/findings.md says what each finding means. Exit status: 0 without errors, 1 with
errors, 2 for wrong usage.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from custom_datasets.cli import add_cfg_options, number, progress_bar, run_command
from custom_datasets.errors import UserError
from custom_datasets.text import counted


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='the leaf config to train with')
    parser.add_argument('--json', metavar='FILE', help='write all findings to FILE')
    parser.add_argument(
        '--shown',
        type=number(0, whole=True),
        default=5,
        metavar='N',
        help='places to print per kind of finding (default: %(default)s)',
    )
    parser.add_argument(
        '--gpus',
        type=number(1, whole=True),
        default=1,
        metavar='N',
        help='how many processes will train together (default: %(default)s)',
    )
    parser.add_argument(
        '--no-images',
        action='store_true',
        help='do not decode images: the quick part, which tools/train.py runs itself',
    )
    parser.add_argument('--no-cache', action='store_true', help='read every file again')
    add_cfg_options(parser)
    args = parser.parse_args(argv)

    def check() -> str:
        from custom_datasets.checks.check import check_config
        from custom_datasets.checks.report import errors, format_findings, summary
        from custom_datasets.files import write_json

        with progress_bar('reading') as progress:
            checked = check_config(
                args.config,
                args.cfg_options,
                ranks=args.gpus,
                images=not args.no_images,
                cached=not args.no_cache,
                progress=progress,
            )
        if args.json:
            write_json(args.json, [finding.as_dict() for finding in checked.findings])
        print(format_findings(checked.findings, args.shown))
        text = f'{summary(checked.findings)}; {counted(checked.images, "images")}'
        if errors(checked.findings):
            raise UserError(text)
        return text

    return run_command(check)


if __name__ == '__main__':
    sys.exit(main())
