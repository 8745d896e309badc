#!/usr/bin/env bash
# Trains on several GPUs of one or more machines; without a GPU, on the CPU over gloo.
# usage: bash tools/dist_train.sh CONFIG GPUS [options of tools/train.py]
# several machines, once on each: NNODES=2 NODE_RANK=0 MASTER_ADDR=<first machine> PORT=29500
exec bash "$(dirname "${BASH_SOURCE[0]}")/dist_run.sh" train "$@"
