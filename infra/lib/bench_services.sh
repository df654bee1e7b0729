# shellcheck shell=bash
# smshub under `make bench`: one process, or with SPLIT=1 one for each role, so that the CPU
# time of each role can be told apart.

readonly BENCH_ROLES=(ingest billing-consumer sender dlr-reconciler)

# bench_pid_file ROLE
bench_pid_file() { printf '%s\n' "$PID_DIR/smshub-$1"; }

start_bench_smshub() {
  if [[ -z ${SPLIT:-} ]]; then
    start_smshub
    await_smshub 60
    return
  fi
  local role port=$MANAGEMENT_PORT
  for role in "${BENCH_ROLES[@]}"; do
    mkdir -p "$PROFILE_DIR/smshub-$role"
    process_start "$(bench_pid_file "$role")" "$LOG_DIR/smshub-$role.log" \
      env SMSHUB__MANAGEMENT__LISTEN="127.0.0.1:$port" SMSHUB__OWNERSHIP__DATA_FOLDER="$PROFILE_DIR/smshub-$role" \
      "$BIN/smshub" --config "$SMSHUB_CONFIG" run --target "$role"
    wait_until 60 http_ok "$port" /readyz || {
      last_lines "$LOG_DIR/smshub-$role.log"
      die "smshub $role was not ready within 60 s; its log is $LOG_DIR/smshub-$role.log"
    }
    port=$((port + 1))
  done
}

# stop_bench: quiet when there is nothing to stop.
stop_bench() {
  local role
  for role in "${BENCH_ROLES[@]}"; do
    process_stop "$(bench_pid_file "$role")" TERM 40
  done
  stop_services
}

# bench_processes: prints what is measured, as loadgen's arguments, one word a line.
bench_processes() {
  local name file
  while read -r name file; do
    [[ ! -e $file ]] || printf '%s\n' --process "$name=$(process_pid "$file")"
  done <<TEXT
smshub $SMSHUB_PID_FILE
ingest $(bench_pid_file ingest)
billing-consumer $(bench_pid_file billing-consumer)
sender $(bench_pid_file sender)
dlr-reconciler $(bench_pid_file dlr-reconciler)
Postgres $(postgres_pid_file)
Kafka $(kafka_pid_file)
simulator $SIMULATOR_PID_FILE
TEXT
}

# profile_start: with PERF=1, samples the whole machine until profile_stop. (perf gives up on a
# process when one of its threads ends while it looks.)
profile_start() {
  [[ -n ${PERF:-} ]] || return 0
  command -v perf >/dev/null || die "PERF=1 needs perf (Debian: apt-get install linux-perf)"
  setsid perf record -q -a -F 499 ${PERF_GRAPH:+--call-graph "$PERF_GRAPH"} -o "$PROFILE_DIR/perf.data" \
    </dev/null >"$LOG_DIR/perf.log" 2>&1 9>&- &
  PROFILER=$!
}

profile_stop() {
  [[ -n ${PROFILER:-} ]] || return 0
  kill -INT "$PROFILER" 2>/dev/null || true
  wait "$PROFILER" || true
  PROFILER=''
  say "the profile is in $PROFILE_DIR/perf.data: see benches/README.md"
}
