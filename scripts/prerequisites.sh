#!/bin/sh
# Checks what the Makefile assumes to be installed, and says how to mend what is missing.
# usage: prerequisites.sh build|test     (a build needs cargo and a C compiler; tests also Python and Node)
set -u
missing=0

complain() { # $1 what is wrong, $2 how to mend it
	printf 'error: %s\n  hint: %s\n' "$1" "$2" >&2
	missing=1
}

# The toolchain itself is pinned in rust-toolchain.toml; rustup fetches it on first use.
if ! command -v cargo >/dev/null 2>&1; then
	complain "cargo not found" "install Rust with rustup: https://rustup.rs"
elif ! command -v rustup >/dev/null 2>&1; then
	complain "cargo is not rustup's, so rust-toolchain.toml has no effect" \
		"install rustup (https://rustup.rs) and put ~/.cargo/bin first in PATH"
fi

# The bundled SQLite, ring and jemalloc are C.
if ! command -v "${CC:-cc}" >/dev/null 2>&1; then
	complain "no C compiler (${CC:-cc})" "install gcc or clang, for example: apt-get install build-essential"
fi

if [ "${1:-test}" = test ]; then
	if ! command -v python3 >/dev/null 2>&1; then
		complain "python3 not found" "install Python 3.11 or later"
	elif ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
		complain "$(python3 --version) is too old" "install Python 3.11 or later"
	elif ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
		complain "python3 cannot make virtual environments" "for example: apt-get install python3-venv"
	elif ! python3 -m pip --version >/dev/null 2>&1; then
		complain "python3 has no pip" "for example: apt-get install python3-pip"
	fi
	if ! command -v node >/dev/null 2>&1; then
		complain "node not found" "install Node.js 20 or later"
	elif ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)'; then
		complain "node $(node --version) is too old" "install Node.js 20 or later"
	elif ! command -v npm >/dev/null 2>&1; then
		complain "npm not found" "install the npm that belongs to your Node.js"
	fi
fi
exit "$missing"
