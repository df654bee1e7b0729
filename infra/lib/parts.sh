# shellcheck shell=bash
# The verbs of infra/parts.

# parts_locked VERB: one at a time per profile. The lock is the kernel's: it ends with its
# last holder, which may be an initdb that outlives its killed parent. Daemons do not get it.
parts_locked() {
  (
    flock -w 180 9 || die "another infra/parts of profile $PROFILE has been busy for 180 s"
    "$@"
  ) 9>"$PROFILE_DIR/parts.lock"
}

parts_up() {
  choose_parts_user_with_packages
  if postgres_alive && kafka_alive && postgres_ready && kafka_ready; then
    say "Postgres (port $POSTGRES_PORT) and Kafka (port $KAFKA_PORT) are up already"
    return
  fi
  as_parts_user java -version >/dev/null 2>&1 ||
    die "user $PARTS_USER cannot run $(command -v java): install Java for all users (Debian: default-jre-headless)"
  resolve_kafka_dist
  check_disk "$DATA_DIR" "${SMSHUB_MIN_FREE_MIB:-3072}"
  postgres_alive || check_port Postgres POSTGRES "$POSTGRES_PORT"
  kafka_alive || check_port Kafka KAFKA "$KAFKA_PORT"
  kafka_alive || check_port "Kafka's controller" KAFKA_CONTROLLER "$KAFKA_CONTROLLER_PORT"

  say "starting Postgres (port $POSTGRES_PORT) and Kafka (port $KAFKA_PORT) as user $PARTS_USER"
  # Kafka first: it takes seconds, in which Postgres comes up beside it.
  if ! kafka_alive; then
    kafka_configure
    kafka_format
    kafka_launch
  fi
  if ! postgres_alive; then
    postgres_init
    postgres_configure
    postgres_launch
  fi
  parts_await postgres Postgres 60
  parts_await kafka Kafka 90
  [[ $PROFILE == test ]] || postgres_database smshub
  say "Postgres and Kafka are up"
}

# parts_await PREFIX NAME SECONDS: waits until it is ready. One that dies while we wait is
# started again: right after a kill -9 the old one's port or lock may still be held.
parts_await() {
  local deadline=$((SECONDS + $3)) retry_until=$((SECONDS + 15))
  until "$1_alive" && "$1_ready"; do
    if ! "$1_alive"; then
      if ((SECONDS >= retry_until)); then
        last_lines "$("$1_log")"
        die "$2 ends right after its start; its log is $("$1_log")"
      fi
      sleep 1
      "$1_launch"
    fi
    if ((SECONDS >= deadline)); then
      last_lines "$("$1_log")"
      die "$2 was not ready within $3 s; its log is $("$1_log")"
    fi
    sleep 0.2
  done
}

parts_down() {
  if kafka_alive; then
    say "stopping Kafka"
  fi
  kafka_stop
  if postgres_alive; then
    say "stopping Postgres"
  fi
  postgres_stop
}

# parts_reset: the parts' data, not what other programs keep in the profile's folder.
parts_reset() {
  choose_parts_user
  parts_down
  say "deleting $(postgres_data) and $(kafka_data)"
  postgres_clear_remains
  delete_folder "$(postgres_data)"
  delete_folder "$(kafka_data)"
}

parts_status() {
  local part port code=0
  for part in postgres kafka; do
    port=$POSTGRES_PORT
    [[ $part == postgres ]] || port=$KAFKA_PORT
    if ! "${part}_alive"; then
      printf '%-8s  down\n' $part
      code=1
    elif "${part}_ready"; then
      printf '%-8s  ready at 127.0.0.1:%s, process %s\n' $part "$port" "$(process_pid "$("${part}_pid_file")")"
    else
      printf '%-8s  running but not ready, process %s, log %s\n' $part "$(process_pid "$("${part}_pid_file")")" "$("${part}_log")"
      code=1
    fi
  done
  return $code
}

# parts_env: what a shell has to export to talk to this profile: eval "$(infra/parts env test)".
parts_env() {
  if [[ $PROFILE != test ]]; then
    service_environment
  else
    printf 'export SMSHUB_TEST_POSTGRES=postgres://postgres@127.0.0.1:%s/postgres\n' "$POSTGRES_PORT"
    printf 'export SMSHUB_TEST_KAFKA=127.0.0.1:%s\n' "$KAFKA_PORT"
    printf 'export SMSHUB_TEST_CLIENTS=%s\n' "$LOCAL_DATA/clients"
  fi
}

choose_parts_user_with_packages() {
  DATA_DIR=$LOCAL_DATA
  install_packages
  choose_parts_user
}
