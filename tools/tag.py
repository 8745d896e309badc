#!/usr/bin/env python
"""Print the classes on images as JSON: ``tools/predict.py --tags dict``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.predict import main as predict


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return predict(['--tags', 'dict', *(sys.argv[1:] if argv is None else argv)])


if __name__ == '__main__':
    sys.exit(main())
