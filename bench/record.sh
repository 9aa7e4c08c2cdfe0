#!/usr/bin/env bash
# Run every benchmark that docs/performance.md quotes, write JSON into bench/results, print the table:
#
#   bash bench/peers.sh && bash bench/record.sh            # or: make bench
#
# PYTHON names the interpreter. Preload an allocator (LD_PRELOAD) for all sides or for none: peers inherit it. What is
# given on the command line goes to every benchmark, for instance --rounds 9 or --device cuda. Without LASTMILE_DATA (see
# bench/pairs.py) ROUGE and flags are timed on the demo corpus. A benchmark that fails does not keep the others.
set -uo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
folder=${RESULTS:-bench/results}
failed=0

bench() { # file, benchmark, options
  local file=$1
  shift
  echo "== $*" >&2
  "$PYTHON" -m bench "$@" --out "$folder/$file.json" >&2 || { echo "$file failed" >&2; failed=1; }
}

for dtype in float32 bfloat16; do
  bench "step-$dtype" step --dtype $dtype "$@"
  bench "rollout-$dtype" rollout --dtype $dtype "$@"
  bench "update-$dtype" update --dtype $dtype "$@"
  bench "likelihood-$dtype" likelihood --dtype $dtype "$@"
  bench "phases-$dtype" phases --dtype $dtype "$@"
  bench "summarize-$dtype" summarize --dtype $dtype "$@"
done
bench rollout-bart rollout --shape bart-base "$@"
bench update-bart update --shape bart-base "$@"
bench memory memory "$@"
bench reward reward --threads 1 "$@"
bench judge judge "$@"
bench startup startup "$@" --rounds 3
bench scale scale "$@" --rounds 1
"$PYTHON" -m bench table "$folder"
exit $failed
