# shellcheck shell=bash
# shellcheck disable=SC2016 # the backquotes are Markdown's
# What the result of `make bench` says besides loadgen's figures.

# result_file: prints where the result belongs. A run that somebody changed is no result to
# be compared with others.
result_file() {
  if [[ -n ${MESSAGES:-}${RUNS:-}${SCENARIOS:-}${SPLIT:-}${PERF:-} ]]; then
    printf '%s\n' "$PROFILE_DIR/last.md"
  else
    printf '%s\n' "$ROOT/benches/results/$(date -u +%F)-$(git -C "$ROOT" rev-parse --short HEAD).md"
  fi
}

# report_head: commit, machine, versions, settings. Told before the load begins.
report_head() {
  local changed='' shape='one process, `--target all`' load
  # The file that this goes into is there already.
  [[ -z $(git -C "$ROOT" status --porcelain -- ':!benches/results') ]] || changed=', with changes that were not committed'
  [[ -z ${SPLIT:-} ]] || shape='a process for each role'
  read -r load _ </proc/loadavg
  cat <<TEXT
# $(date -u '+%F %H:%M UTC'), commit $(git -C "$ROOT" rev-parse --short HEAD)$changed

| | |
|---|---|
| machine | $(nproc) CPUs ($(cpu_model)), $(awk '/^MemTotal/ { printf "%d", $2 / 1024 }' /proc/meminfo) MiB, Linux $(uname -r); everything runs on it |
| before the load | load $load; $(synced_writes) writes of 4 KiB a second, each synced |
| Rust, Kafka, Java, Postgres | $(rustc --version | cut -d' ' -f2), $(kafka_version), $(java_version), $(postgres_version) |
| Kafka | one broker, 8 partitions, every record flushed before it is acknowledged |
| Postgres | $(postgres_settings) |
| simulator | ${SIMULATOR_FLAGS[*]:2}; its journal is on; 97 % delivered |
| smshub | $shape; differs from its defaults in addresses, credentials and $(changed_settings) |

TEXT
}

cpu_model() { sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1; }

kafka_version() { sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' "$ROOT/infra/kafka/pom.xml"; }

postgres_version() { "$(postgres_bin)/postgres" --version | grep -o '[0-9][0-9.]*' | head -n 1; }

postgres_settings() {
  grep -hE '^(fsync|synchronous_commit|full_page_writes|shared_buffers|max_wal_size)' \
    "$ROOT/infra/postgres/common.conf" "$ROOT/infra/postgres/$POSTGRES_CONF" | paste -sd, | sed 's/,/, /g'
}

changed_settings() {
  grep -E '^[a-z_]+ = ' "$SMSHUB_CONFIG" | grep -vE '^(user|password) ' | sed 's/.*/`&`/' | paste -sd' '
}

# synced_writes: prints how many small synced writes the disk takes in a second.
synced_writes() {
  local file=$PROFILE_DIR/synced begin end
  begin=$(date +%s%N)
  dd if=/dev/zero of="$file" bs=4096 count=500 oflag=dsync status=none
  end=$(date +%s%N)
  rm -f "$file"
  printf '%s\n' $((500 * 1000000000 / (end - begin)))
}

# bytes_written: prints the bytes of Postgres' write-ahead log so far, of its tables and
# indexes, and of Kafka's records.
bytes_written() {
  local wal_and_tables
  wal_and_tables=$("$(postgres_bin)/psql" -h 127.0.0.1 -p "$POSTGRES_PORT" -U postgres -d smshub -X -At -F ' ' \
    -c "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0'), pg_database_size(current_database())")
  # Segment files are made longer than they are full: what is in use counts.
  printf '%s %s\n' "$wal_and_tables" \
    "$(as_parts_user find "$(kafka_data)" -name '*.log' -path '*sms.*' -printf '%s\n' | awk '{ sum += $1 } END { print sum + 0 }')"
}

# report_bytes BEFORE MESSAGES
report_bytes() {
  local -a before after
  read -r -a before <<<"$1"
  read -r -a after <<<"$(bytes_written)"
  printf 'Bytes for each message: %s of write-ahead log, %s of tables and indexes, %s of Kafka records.\n\n' \
    $(((after[0] - before[0]) / $2)) $(((after[1] - before[1]) / $2)) $(((after[2] - before[2]) / $2))
}

# report_audit STATUS
report_audit() {
  local verdict=clean
  (($1 == 0)) || verdict="FAILED (status $1)"
  printf '## Audit\n\n`smshub audit --quiescent` after all of it: %s\n\n```\n' "$verdict"
  cat "$PROFILE_DIR/audit.txt"
  printf '```\n'
}
