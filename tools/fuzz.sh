#!/bin/bash
# Runs every fuzz test of the module for a while: fuzz.sh 20s
set -euo pipefail

for package in $(go list ./...); do
  for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
    echo "== $package $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "${1:-20s}" -fuzzminimizetime 1x "$package"
  done
done
