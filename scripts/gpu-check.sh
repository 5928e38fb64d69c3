#!/usr/bin/env bash
# Runs the checks of tests/gpu with the first interpreter whose PyTorch sees a GPU: the one PYTHON
# names, else .venv's, else the machine's own. Nothing is installed. Writes to OUT, if it is set.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PYTHONPATH="$PWD/src:$PWD/tests${PYTHONPATH:+:$PYTHONPATH}"
[ -n "${OUT:-}" ] || unset OUT

sees_gpu() {
    "$1" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null
}

fallback=
for candidate in "${PYTHON:-}" .venv/bin/python python3; do
    [ -n "$candidate" ] && command -v "$candidate" >/dev/null || continue
    if sees_gpu "$candidate"; then
        exec "$candidate" -m gpu "$@"
    fi
    fallback=${fallback:-$candidate}
done
if [ -z "$fallback" ]; then
    echo "No python3 on PATH. Install one, or name it: PYTHON=/path/to/python3 make gpu-check" >&2
    exit 1
fi
exec "$fallback" -m gpu "$@"
