#!/usr/bin/env bash
# What dist_train.sh and dist_test.sh share: torchrun around tools/train.py or tools/test.py.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mode=${1:-}
case $mode in
  train) inputs=1 ;;
  test) inputs=2 ;;
  *)
    echo 'usage: bash tools/dist_train.sh ... or tools/dist_test.sh ...; each says the rest' >&2
    exit 2
    ;;
esac
shift
if (($# < inputs + 1)); then
  sed -n '2,$ { s/^# //p }' "$here/dist_$mode.sh" >&2
  exit 2
fi
files=("${@:1:inputs}")
shift "$inputs"
gpus=$1
shift
if ! [[ $gpus =~ ^[1-9][0-9]*$ ]]; then
  echo "error: GPUS must be a number of processes on this machine, not '$gpus'" >&2
  exit 2
fi
if ((${NNODES:-1} == 1)) && [[ -z ${PORT:-} ]]; then
  where=(--standalone)
else
  where=(--nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}"
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}")
fi
exec "${PYTHON:-python}" -m torch.distributed.run "${where[@]}" --nproc_per_node="$gpus" \
  "$here/$mode.py" "${files[@]}" --launcher pytorch "$@"
