#!/usr/bin/env bash
# Tests a checkpoint as a Slurm job with one process a GPU.
# usage: [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=5] [SRUN_ARGS=...] bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [options of tools/test.py]
exec bash "$(dirname "${BASH_SOURCE[0]}")/slurm_run.sh" test "$@"
