#!/usr/bin/env python
"""Turn an export into a registered data set: data, module, configs, lists, test.

SOURCE is a folder or a zip: Pascal VOC, COCO JSON, YOLO text, class folders, or
a JSON of boxes. Nothing of it is changed, and nothing is overwritten.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from custom_datasets.cli import SKIP_BROKEN, progress_bar, run_command, source_pattern
from custom_datasets.errors import AnnotationError, UserError

ROOT = Path(__file__).resolve().parents[1]
DAMAGED = {'truncated-image', 'undecodable-image'}
"""Findings that a new split can leave out."""


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    from custom_datasets.data.convert import FORMATS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('name', help='what to call it, for example traffic_signs')
    parser.add_argument('source', help='a folder or a zip')
    parser.add_argument(
        '--from',
        dest='format',
        choices=FORMATS,
        help='the format, where it is not recognised',
    )
    parser.add_argument(
        '--group-by',
        type=source_pattern,
        metavar='REGEX',
        help='what in the names, in its first group, is equal for images of one thing, '
        "such as '(.+)_' for frames of a sign; split.py has the same",
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='of the split (default: %(default)s)'
    )
    parser.add_argument(
        '--skip-broken',
        action='store_true',
        help='leave out images that cannot be read, or whose annotation cannot',
    )
    args = parser.parse_args(argv)

    def create() -> str:
        from custom_datasets.checks.check import check_config
        from custom_datasets.checks.environment import list_gpus
        from custom_datasets.checks.report import errors, format_findings, summary
        from custom_datasets.scaffold.new_dataset import create_dataset

        try:
            created = create_dataset(
                args.name,
                args.source,
                str(ROOT),
                format=args.format,
                group_by=args.group_by,
                seed=args.seed,
                skip_broken=args.skip_broken,
                gpu=bool(list_gpus()),
            )
        except AnnotationError as error:
            if args.skip_broken:
                raise
            raise UserError(f'{error}\n{SKIP_BROKEN}') from error
        leaf = created.leaf
        print(created.report)
        print('\nwritten:', *(f'  {path}' for path in created.files), sep='\n')
        try:
            with progress_bar('checking') as progress:
                findings = check_config(str(ROOT / leaf), progress=progress).findings
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt(
                f'all of it is written; to check it: python tools/check.py {leaf}'
            ) from error
        serious = [finding for finding in findings if finding.severity != 'note']
        print(f'\n{format_findings(serious)}\n{summary(findings)}')
        command = f'python tools/train.py {leaf}'
        if serious := errors(findings):
            text = f'fix the errors above, then: {command}'
            if created.again and DAMAGED & {finding.code for finding in serious}:
                text += f'\nor leave the damaged images out:\n  {created.again}'
            raise UserError(text)
        return f'\ntrain: {command}'

    return run_command(create)


if __name__ == '__main__':
    sys.exit(main())
