#!/usr/bin/env bash
# Trains as a Slurm job with one process a GPU.
# usage: [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=5] [SRUN_ARGS=...] bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG [options of tools/train.py]
exec bash "$(dirname "${BASH_SOURCE[0]}")/slurm_run.sh" train "$@"
