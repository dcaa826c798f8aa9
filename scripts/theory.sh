#!/usr/bin/env bash
# The theory of LoRA-One on a linear model: prints its tables and draws its plots.
#
#   scripts/theory.sh [FOLDER]     (default: theory)
#
# 1. LoRA turns to the subspace of the initial gradient before it learns. 2. One gradient suffices for a good start.
# 3. From that start, preconditioned steps take as long whatever the condition number. 4. Behind Adam and under noise the
# authors' form of the preconditioner is worse than AdamW, and preconditioned-adamw is better.
set -euo pipefail
folder=$(realpath -m "${1:-theory}")
cd "$(dirname "$0")/.."
go run ./scripts/theory -out "$folder"
echo
echo "plots in $folder"
