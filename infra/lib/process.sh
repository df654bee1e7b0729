# shellcheck shell=bash
# Background processes known by a file that holds "PID START BOOT". The start time and the
# boot id make the file safe to keep: after a kill -9, a reboot or the reuse of the number
# it no longer names anything.

# process_identity PID: prints "PID START BOOT" of a living process; fails when there is
# none. A zombie counts as dead: PID 1 may take seconds to reap it.
process_identity() {
  local line boot
  local -a fields
  { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
  # The command name, in parentheses, may hold spaces: read what follows it.
  read -r -a fields <<<"${line##*) }"
  [[ ${fields[0]} != [ZX] ]] || return 1
  read -r boot </proc/sys/kernel/random/boot_id
  printf '%s %s %s\n' "$1" "${fields[19]}" "$boot"
}

# process_pid PIDFILE: prints the number of the living process that the file names.
process_pid() {
  local written now
  { read -r written <"$1"; } 2>/dev/null || return 1
  [[ $written =~ ^[0-9]+\ [0-9]+\ [0-9a-f-]+$ ]] || return 1
  now=$(process_identity "${written%% *}") || return 1
  [[ $now == "$written" ]] || return 1
  printf '%s\n' "${written%% *}"
}

# process_alive PIDFILE
process_alive() { process_pid "$1" >/dev/null; }

process_gone() { ! process_alive "$1"; }

# process_start PIDFILE LOG COMMAND...: starts a daemon in a session of its own, so that
# Ctrl-C at the terminal does not reach it. The daemon writes its own identity before it
# becomes the command: there is no moment at which it runs unknown. The log of the run
# before is kept as LOG.old. Descriptor 9 is a script's lock, which must end with the script.
process_start() {
  local pid_file=$1 log=$2
  shift 2
  mkdir -p "$(dirname "$pid_file")" "$(dirname "$log")"
  rm -f "$pid_file"
  [[ ! -s $log ]] || mv -f "$log" "$log.old"
  # shellcheck disable=SC2016 # expanded by the inner bash
  setsid bash -c '
    source "$1"; pid_file=$2; shift 2
    process_identity $$ >"$pid_file.new" && mv "$pid_file.new" "$pid_file" && exec "$@"
  ' process_start "$ROOT/infra/lib/process.sh" "$pid_file" "$@" </dev/null >>"$log" 2>&1 9>&- &
  # Or bash would print the inner script when the daemon is killed.
  disown
  wait_until 10 test -e "$pid_file" || die "could not start $1; see $log"
}

# process_stop PIDFILE SIGNAL SECONDS: asks it to end, waits, and ends it by force when the
# time is over. Quiet when there is nothing to stop.
process_stop() {
  local pid
  # No file, nothing to remove: a daemon that is just writing its own must keep it.
  [[ -e $1 ]] || return 0
  if pid=$(process_pid "$1"); then
    kill "-$2" "$pid" 2>/dev/null || true
    if ! wait_until "$3" process_gone "$1"; then
      say "  process $pid did not end within $3 s: killed"
      kill -KILL "$pid" 2>/dev/null || true
      wait_until 10 process_gone "$1" || die "process $pid cannot be killed"
    fi
  fi
  rm -f "$1"
}

# process_inside FOLDER: prints the numbers of living processes whose working folder it is.
process_inside() {
  local link
  for link in /proc/[0-9]*/cwd; do
    if [[ $(readlink "$link" 2>/dev/null) == "$1" ]]; then
      link=${link#/proc/}
      printf '%s\n' "${link%/cwd}"
    fi
  done
}
