#!/usr/bin/env python
"""Compare runs: one table, curves over each other, and what differs in the configs.

RUN is a work directory with run.json, as tools/train.py leaves it. Metrics on the
test set, with intervals, come from test_predictions.pkl in it, which
tools/analysis_tools/report.py leaves there (or tools/test.py --out). RUN may also
be a file of predictions alone, say an ensemble's. Each run is compared with the
first that has predictions, on the same draws of test images.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from custom_datasets.cli import add_trust, run_command


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'runs', nargs='+', metavar='RUN', help='a work directory or PRED.pkl'
    )
    parser.add_argument(
        '--html',
        metavar='FILE',
        help='the page, replaced if it is there (default: work_dirs/compare.html)',
    )
    parser.add_argument('--markdown', metavar='FILE', help='write the tables there')
    parser.add_argument('--csv', metavar='FILE', help='write one line a run there')
    add_trust(parser)
    args = parser.parse_args(argv)

    def action() -> str:
        from custom_datasets.runs.compare import PAGE, compare

        return compare(args.runs, args.html or PAGE, args.markdown, args.csv)

    return run_command(action, trust=args.trust)


if __name__ == '__main__':
    sys.exit(main())
