# shellcheck shell=bash
# One private Postgres per profile.

postgres_data() { printf '%s\n' "$DATA_DIR/$PROFILE/postgres"; }
postgres_pid_file() { printf '%s\n' "$PID_DIR/postgres"; }
postgres_log() { printf '%s\n' "$LOG_DIR/postgres.log"; }

postgres_alive() { process_alive "$(postgres_pid_file)"; }

postgres_ready() {
  "$(postgres_bin)/pg_isready" -q -h 127.0.0.1 -p "$POSTGRES_PORT" -U postgres -d postgres -t 2
}

# postgres_init: makes the data folder; the marker, written last, tells a whole one from one
# whose making was interrupted.
postgres_init() {
  local data
  data=$(postgres_data)
  check_owner "$data"
  as_parts_user test -e "$data/smshub-complete" && return
  say "  making Postgres' data folder $data"
  delete_folder "$data"
  own_folder "$data"
  as_parts_user "$(postgres_bin)/initdb" -D "$data" -U postgres -A trust -E UTF8 \
    --locale=C.UTF-8 --data-checksums >>"$(postgres_log)" 2>&1 || {
    last_lines "$(postgres_log)"
    die "initdb failed; the whole output is in $(postgres_log)"
  }
  as_parts_user touch "$data/smshub-complete"
}

# postgres_configure: writes the whole configuration anew, so that a changed file or port
# takes effect at the next start.
postgres_configure() {
  local compression=on
  # lz4 only where the server was built with it; `on` is the slower pglz.
  if "$(postgres_bin)/pg_config" --configure 2>/dev/null | grep -q -- --with-lz4; then
    compression=lz4
  fi
  {
    cat "$ROOT/infra/postgres/common.conf" "$ROOT/infra/postgres/$POSTGRES_CONF"
    printf "port = %s\nwal_compression = %s\n" "$POSTGRES_PORT" "$compression"
  } | as_parts_user tee "$(postgres_data)/postgresql.conf" >/dev/null
}

# postgres_clear_remains: after a kill -9 of the server its workers live on for a moment,
# and its lock file stays. Postgres refuses to start while the number in that file is in
# use by any process of this user, a zombie or a stranger included; so the file goes, but
# only when nobody works in the folder any more.
postgres_clear_remains() {
  local data
  data=$(postgres_data)
  [[ -e $data/postmaster.pid ]] || return 0
  if ! wait_until 5 postgres_folder_idle; then
    process_inside "$data" | xargs -r kill -KILL 2>/dev/null || true
    wait_until 10 postgres_folder_idle ||
      die "processes that cannot be killed still work in $data: $(process_inside "$data" | xargs)"
  fi
  rm -f "$data/postmaster.pid"
}

postgres_folder_idle() { [[ -z $(process_inside "$(postgres_data)") ]]; }

postgres_launch() {
  postgres_clear_remains
  process_start "$(postgres_pid_file)" "$(postgres_log)" \
    "${AS_PARTS_USER[@]}" "$(postgres_bin)/postgres" -D "$(postgres_data)"
}

# postgres_database NAME: makes it if it is missing. Needs a ready server.
postgres_database() {
  local -a sql=("$(postgres_bin)/psql" -h 127.0.0.1 -p "$POSTGRES_PORT" -U postgres -d postgres -X -q -v ON_ERROR_STOP=1)
  [[ $("${sql[@]}" -At -c "select 1 from pg_database where datname = '$1'") == 1 ]] ||
    "${sql[@]}" -c "create database $1" || die "database $1 could not be made, see above"
}

postgres_stop() {
  # SIGINT is Postgres' fast shutdown: sessions are ended, a checkpoint is written.
  process_stop "$(postgres_pid_file)" INT 60
}
