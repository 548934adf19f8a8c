#!/bin/sh
# Builds Pointsman and the bench as they are shipped, then measures.
# usage: bench.sh compare|steady|rivals|chaos [OPTIONS of pointsman-bench]
# `rivals` first installs them into the cache: scripts/rivals.py.
set -eu
if [ "${1:-}" = rivals ]; then
	rivals=$(python3 scripts/rivals.py)
	shift
	# One option or value a line; the cache's path may hold blanks.
	IFS='
'
	# shellcheck disable=SC2086
	set -- rivals $rivals "$@"
	unset IFS
fi
cargo build --profile dist --locked -p pointsman -p pointsman-bench
binaries="${CARGO_TARGET_DIR:-target}/dist"
exec "$binaries/pointsman-bench" "$@"
