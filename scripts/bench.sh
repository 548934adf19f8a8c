#!/bin/sh
# Builds Pointsman and the bench in release, then measures.
# usage: bench.sh compare|steady [OPTIONS of pointsman-bench]
set -eu
cargo build --release --locked -p pointsman -p pointsman-bench
binaries="${CARGO_TARGET_DIR:-target}/release"
exec "$binaries/pointsman-bench" "$@"
