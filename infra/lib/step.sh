# shellcheck shell=bash
# Long steps that a signal can end at once. Bash runs a trap only when the command in the
# foreground is over; so a step runs in the background, in a process group of its own, and
# the trap ends that whole group (cargo with its compilers).

STEP=''

# run_step COMMAND...: its status.
run_step() {
  local code=0
  set -m
  "$@" </dev/null &
  STEP=$!
  set +m
  wait "$STEP" || code=$?
  STEP=''
  return $code
}

# end_step: for the trap.
end_step() {
  [[ -n $STEP ]] || return 0
  kill -TERM -- "-$STEP" 2>/dev/null || true
  wait "$STEP" 2>/dev/null || true
  STEP=''
}
