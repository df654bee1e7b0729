# shellcheck shell=bash
# What the tests of customers' clients need beside the languages themselves: Python's and
# Node's packages, pinned, once, in .data/clients. Made in place, since Python's programs know
# their folder; the sum is written last, so an interrupted download does not look finished.

clients_dir() { printf '%s\n' "$LOCAL_DATA/clients"; }

clients_sum() {
  { cat "$ROOT"/infra/clients/{python.txt,package-lock.json} && python3 --version; } | sha256sum | cut -c1-64
}

# prepare_clients: makes it so.
prepare_clients() {
  local dir sum known=''
  dir=$(clients_dir)
  sum=$(clients_sum)
  { read -r known <"$dir/sum"; } 2>/dev/null || true
  [[ $known != "$sum" ]] || return 0
  say "fetching what the tests of clients need from Python's and Node's packages (about 200 MB, once)"
  rm -rf "$dir"
  mkdir -p "$dir"
  clients_step venv python3 -m venv "$dir/python"
  clients_step pip "$dir/python/bin/pip" install --no-input --disable-pip-version-check \
    --requirement "$ROOT/infra/clients/python.txt"
  cp "$ROOT"/infra/clients/package{,-lock}.json "$dir/"
  clients_step npm npm ci --ignore-scripts --no-audit --no-fund --prefix "$dir"
  printf '%s\n' "$sum" >"$dir/sum"
}

# clients_step NAME COMMAND...: its output goes to a log that an error shows the end of.
clients_step() {
  local name=$1 log=$LOCAL_DATA/$1.log
  shift
  "$@" >"$log" 2>&1 </dev/null && return
  last_lines "$log"
  die "$name failed: check the network (or the settings of pip and npm, for a mirror) and start again; the whole output is in $log"
}
