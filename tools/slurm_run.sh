#!/usr/bin/env bash
# What slurm_train.sh and slurm_test.sh share: srun around tools/train.py or tools/test.py.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mode=${1:-}
case $mode in
  train) least=3 ;;
  test) least=4 ;;
  *)
    echo 'usage: bash tools/slurm_train.sh ... or tools/slurm_test.sh ...; each says the rest' >&2
    exit 2
    ;;
esac
shift
if (($# < least)); then
  sed -n '2,$ { s/^# //p }' "$here/slurm_$mode.sh" >&2
  exit 2
fi
partition=$1
job=$2
shift 2
gpus=${GPUS:-8}
per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
read -ra extra <<<"${SRUN_ARGS:-}"
exec srun --partition="$partition" --job-name="$job" --gres="gpu:$per_node" \
  --ntasks="$gpus" --ntasks-per-node="$per_node" --cpus-per-task="${CPUS_PER_TASK:-5}" \
  --kill-on-bad-exit=1 ${extra[@]+"${extra[@]}"} \
  "${PYTHON:-python}" -u "$here/$mode.py" "$@" --launcher slurm
