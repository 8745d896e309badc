#!/usr/bin/env python
"""Train: runs the installed stock train.py of the config's package.

usage: python tools/train.py CONFIG [stock options]

The stock options are those of mmdet's or mmpretrain's own train.py, among
them --work-dir, --amp, --resume [CHECKPOINT], --auto-scale-lr,
--cfg-options KEY=VALUE ... and --launcher. Settings that reach the whole
config: --cfg-options data_root=DIR, fold=K, classes=NAMES-OR-FILE,
ignore_classes=NAMES, from_scratch=True, loss=, sampling=, mix=, augment= and track=
(README.md).

Before anything is built, the config and its annotations are checked; errors
stop the run, and settings without effect are shown (tools/check.py shows all
findings). --no-check skips that.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from custom_datasets.training.stock import stock_command


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return stock_command('train.py', argv, usage=__doc__)


if __name__ == '__main__':
    sys.exit(main())
