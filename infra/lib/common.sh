# shellcheck shell=bash
# What every script needs: strict mode, where the checkout is, how to speak.
set -euo pipefail
# Kafka and Postgres run as another user and have to be able to read what root writes.
umask 022
# The makes inside cargo's builds (librdkafka, jemalloc) must not get the flags of ours.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# shellcheck disable=SC2034 # used by the files that are sourced after this one
readonly LOCAL_DATA=$ROOT/.data ROOT

# say TEXT: one line of what is being done. Never fails: the terminal may be closed, and
# then everything must still be stopped.
say() { printf '%s\n' "$*" >&2 || true; }

# die TEXT: one line of what is wrong and what to do, and the end.
die() {
  say "error: $*"
  exit 1
}

# wait_until SECONDS COMMAND...: tries the command five times a second until it succeeds;
# fails when the time is over.
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.2
  done
}

# last_lines FILE: the end of a log, indented, for an error that was just told.
last_lines() {
  [[ -s $1 ]] || return 0
  say "the last lines of $1:"
  tail -n "${2:-15}" "$1" | cut -c1-400 | sed 's/^/    /' >&2 || true
}
