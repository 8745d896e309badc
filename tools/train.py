#!/usr/bin/env python
"""Train: runs the installed stock train.py of the config's package.

usage: python tools/train.py CONFIG [stock options]

The stock options are those of mmdet's or mmpretrain's own train.py, among
them --work-dir, --amp, --resume [CHECKPOINT], --auto-scale-lr,
--cfg-options KEY=VALUE ... and --launcher. Settings for the whole config, by
--cfg-options or at the top of a leaf (more in docs/settings.md):

  dataset_base=FILE
      replaces the data sets of a whole upstream config by those of a base
  data_root=DIR
      moves the train, val and test sets at once
  fold=K
      uses the lists of one fold
  classes=NAMES or FILE
      other classes, for data sets and heads; a file has one per line
  ignore_classes=NAMES
      annotated classes that all data sets leave out on purpose
  image_scale=W,H or N
      size in pixels that all pipelines resize images to, in training and test
  advice=FILE
      what a demo says of each class: what to do, and what happens next (YAML)
  loss=focal or class-weighted or label-smoothing
      the loss of a classifier
  mix=mixup or cutmix
      mixes the images of a batch, and their labels, for a classifier
  sampling=class-balanced or repeat-factor
      shows rare classes more often; the second is for detectors too
  augment=geometry,blur,noise,light,occlusion,colour
      Albumentations for a classifier: one transform of each group you name
  colour_is_class=True or False
      whether colour tells classes apart: then augment=colour is refused
  from_scratch=True or False
      random weights: nothing downloaded, nothing frozen, batch norm trained
  precision=auto or bfloat16 or float32
      numbers of training steps; auto is bfloat16 on a CPU that is made for it
  cache=ram or disk
      decodes images once, and keeps their pixels for all epochs
  track=tensorboard,wandb,mlflow
      shows the curves of a run there too; install the package first

--amp trains in mixed precision: float16 on a GPU; on a CPU bfloat16, as
precision=bfloat16 does.

Before anything is built, the config and its annotations are checked; errors
stop the run, and settings without effect are shown (tools/check.py shows all
findings). --no-check skips that.

--device cpu (or cuda, cuda:1, mps) chooses where it runs.

Checkpoints are read without running code that may be in them; one that needs more
is refused. --trust reads it all the same: only where you trust whoever made it.
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
