#!/usr/bin/env bash
# Make the environments of the programs that lastmile is timed against: bash bench/peers.sh
#
# One environment a peer, below $LASTMILE_PEERS (default: .peers in the checkout). torch has the version of constraints.txt, so
# that both sides compute with the same kernels. PYTHON names the interpreter; PIP_FLAGS goes to pip, for builds
# of torch that suit your machine.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
folder=${LASTMILE_PEERS:-.peers}
torch=$(grep '^torch==' constraints.txt)

make_peer() { # name
  local place=$folder/$1
  if [ -e "$place/.installed" ] && [ "$place/.installed" -nt "bench/peers/$1.txt" ]; then
    echo "$place is there"
    return
  fi
  "$PYTHON" -m venv "$place"
  # shellcheck disable=SC2086
  "$place/bin/python" -m pip install ${PIP_FLAGS:-} "$torch" --requirement "bench/peers/$1.txt"
  touch "$place/.installed"
}

# No environment: a folder of packages that `bench/likelihood.py` finds beside those of lastmile's own.
make_folder() { # name
  local place=$folder/$1
  if [ -e "$place/.installed" ] && [ "$place/.installed" -nt "bench/peers/$1.txt" ]; then
    echo "$place is there"
    return
  fi
  rm -rf "$place"
  # shellcheck disable=SC2086
  "$PYTHON" -m pip install ${PIP_FLAGS:-} --no-deps --target "$place" --requirement "bench/peers/$1.txt"
  touch "$place/.installed"
}

make_folder accelerate
make_peer trl
