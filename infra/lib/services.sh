# shellcheck shell=bash
# smshub and the simulated operator as background processes of `make run` and `make bench`.

# use_services: sets where their files are; call it after use_profile.
use_services() {
  BIN=$ROOT/target/release
  SIMULATOR_PID_FILE=$PID_DIR/simulator
  SIMULATOR_LOG=$LOG_DIR/simulator.log
  SMSHUB_PID_FILE=$PID_DIR/smshub
  SMSHUB_LOG=$LOG_DIR/smshub.log
  # shellcheck disable=SC2034 # used by infra/run and infra/stop
  RUN_PID_FILE=$PID_DIR/run
  SMSHUB_CONFIG=$ROOT/infra/smshub.dev.toml
  SIMULATOR_FLAGS=(--data "$PROFILE_DIR/simulator")
  if [[ $PROFILE == bench ]]; then
    SMSHUB_CONFIG=$ROOT/infra/smshub.bench.toml
    SIMULATOR_FLAGS+=(--delivery-min-ms 0 --delivery-max-ms 0)
  fi
  eval "$(service_environment)"
}

# service_environment: prints the exports that tell smshub where this profile's parts are.
# They go over infra/smshub.dev.toml, which cannot know ports chosen by variables.
service_environment() {
  local name value
  while read -r name value; do
    printf 'export SMSHUB__%s=%q\n' "$name" "$value"
  done <<TEXT
POSTGRES__URL postgres://postgres@127.0.0.1:$POSTGRES_PORT/smshub
KAFKA__BOOTSTRAP 127.0.0.1:$KAFKA_PORT
OWNERSHIP__DATA_FOLDER $PROFILE_DIR/smshub
INGEST__LISTEN 127.0.0.1:$API_PORT
MANAGEMENT__LISTEN 127.0.0.1:$MANAGEMENT_PORT
SENDER__CONNECTORS__MAGFA__BASE_URL http://127.0.0.1:$SIMULATOR_PORT/api/http/sms/v2
TEXT
}

# smshub VERB...: the command line tool with the profile's settings.
smshub() { "$BIN/smshub" --config "$SMSHUB_CONFIG" "$@"; }

start_simulator() {
  mkdir -p "$PROFILE_DIR/simulator"
  process_start "$SIMULATOR_PID_FILE" "$SIMULATOR_LOG" "$BIN/smshub-simulator" \
    --listen "127.0.0.1:$SIMULATOR_PORT" "${SIMULATOR_FLAGS[@]}"
}

start_smshub() {
  mkdir -p "$PROFILE_DIR/smshub"
  process_start "$SMSHUB_PID_FILE" "$SMSHUB_LOG" "$BIN/smshub" \
    --config "$SMSHUB_CONFIG" run --target all
}

# await_smshub SECONDS: until it says that it is ready.
await_smshub() {
  local deadline=$((SECONDS + $1))
  until http_ok "$MANAGEMENT_PORT" /readyz; do
    if process_gone "$SMSHUB_PID_FILE"; then
      last_lines "$SMSHUB_LOG"
      die "smshub ended before it was ready: the reason should stand above; its log is $SMSHUB_LOG"
    fi
    if ((SECONDS >= deadline)); then
      last_lines "$SMSHUB_LOG"
      say "readyz answers: $(http_get "$MANAGEMENT_PORT" /readyz | tr '\n' ' ' | cut -c1-400)"
      die "smshub was not ready within $1 s: its log is $SMSHUB_LOG; if the data is from an older version, make reset"
    fi
    sleep 0.2
  done
}

# stop_services: smshub first, it still needs the others to finish its work.
stop_services() {
  if process_alive "$SMSHUB_PID_FILE"; then
    say "stopping smshub"
  fi
  process_stop "$SMSHUB_PID_FILE" TERM 40
  if process_alive "$SIMULATOR_PID_FILE"; then
    say "stopping the simulator"
  fi
  process_stop "$SIMULATOR_PID_FILE" TERM 10
}

# dead_service: prints "NAME LOG" of the first process of `make run` that is no more.
dead_service() {
  process_alive "$SMSHUB_PID_FILE" || { printf 'smshub %s\n' "$SMSHUB_LOG" && return; }
  process_alive "$SIMULATOR_PID_FILE" || { printf 'simulator %s\n' "$SIMULATOR_LOG" && return; }
  kafka_alive || { printf 'Kafka %s\n' "$(kafka_log)" && return; }
  postgres_alive || { printf 'Postgres %s\n' "$(postgres_log)" && return; }
  return 1
}
