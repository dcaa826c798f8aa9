#!/usr/bin/env bash
# The theory of LoRA-One on small models: prints its tables and draws its plots, in half a minute of one core.
#
#   scripts/theory.sh [FOLDER]     (default: theory)
#
# 1. LoRA turns to the subspace of the initial gradient before it learns. 2. One gradient suffices for a good start.
# 3. From that start, preconditioned steps take as long whatever the condition number; 4. with more pairs than needed and
# behind a ReLU too. 5. Behind Adam and under noise the authors' form of the preconditioner is worse than AdamW, and
# preconditioned-adamw is better; without noise both are. 6. A change of rank one to a model with one neuron or four is
# learned by online SGD from inputs in proportion to the dimension, and from fewer with the spectral start.
set -euo pipefail
folder=$(realpath -m "${1:-theory}")
cd "$(dirname "$0")/.."
go run ./scripts/theory -out "$folder"
echo
echo "plots in $folder"
