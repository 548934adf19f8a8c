#!/bin/sh
# Says how long the first release build takes, so that nobody takes it for a hang.
target="${CARGO_TARGET_DIR:-target}"
if [ ! -x "$target/release/pointsman" ]; then
	echo "building Pointsman in release: the first build takes up to 6 minutes on two cores, later ones seconds"
fi
