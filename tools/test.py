#!/usr/bin/env python
"""Test: runs the installed stock test.py of the config's package.

usage: python tools/test.py CONFIG CHECKPOINT [stock options]

The stock options are those of mmdet's or mmpretrain's own test.py, among
them --work-dir, --out FILE.pkl, --show-dir DIR, --tta, --cfg-options
KEY=VALUE ... and --launcher. Settings for the whole config, such as
data_root=DIR and classes=NAMES, work here too: tools/train.py --help has them all.

--show-dir DIR paints predictions into DIR in the folder of this test. Boxes are those
that reach the threshold of the report beside the checkpoint, else 0.3;
--cfg-options default_hooks.visualization.score_thr=0.5 sets another.

--device cpu (or cuda, cuda:1, mps) chooses where it runs.

The checkpoint is read without running code that may be in it; one that needs more is
refused. --trust reads it all the same: only where you trust whoever made it.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from custom_datasets.training.stock import stock_command


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return stock_command('test.py', argv, usage=__doc__)


if __name__ == '__main__':
    sys.exit(main())
