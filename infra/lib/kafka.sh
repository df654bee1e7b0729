# shellcheck shell=bash
# One private Kafka broker (with its controller) per profile.

kafka_data() { printf '%s\n' "$DATA_DIR/$PROFILE/kafka"; }
kafka_config() { printf '%s\n' "$DATA_DIR/$PROFILE/kafka.properties"; }
kafka_pid_file() { printf '%s\n' "$PID_DIR/kafka"; }
kafka_log() { printf '%s\n' "$LOG_DIR/kafka.log"; }
kafka_classes() { printf '%s\n' "$(kafka_dist_dir)/lib/*"; }

kafka_alive() { process_alive "$(kafka_pid_file)"; }

# kafka_ready: asks for the list of brokers (Metadata v4, no topics) and wants one in it. A
# broker that only accepts connections may not have joined yet, as after a kill -9.
kafka_ready() {
  local -a answer
  read -r -a answer < <(
    # shellcheck disable=SC2016 # expanded by the inner bash
    timeout 3 bash -c '
      exec 3<>"/dev/tcp/127.0.0.1/$1" || exit
      printf "\0\0\0\017\0\003\0\004\0\0\0\001\377\377\0\0\0\0\0" >&3
      head -c 16 <&3 | od -An -v -tu1 -w16' kafka_ready "$KAFKA_PORT" 2>/dev/null
  ) || return 1
  # Length, correlation id, throttle time, number of brokers: four bytes each.
  ((${#answer[@]} == 16 && answer[15] > 0))
}

# kafka_configure: writes the configuration anew at every start.
kafka_configure() {
  mkdir -p "$(dirname "$(kafka_config)")"
  sed -e "s|@BROKER_PORT@|$KAFKA_PORT|" -e "s|@CONTROLLER_PORT@|$KAFKA_CONTROLLER_PORT|" \
    -e "s|@DATA@|$(kafka_data)|" "$ROOT/infra/kafka/server.properties" >"$(kafka_config)"
  cp "$ROOT/infra/kafka/log4j2.properties" "$(dirname "$(kafka_config)")/kafka-log4j2.properties"
}

# kafka_java OPTION...: prints the JVM's command with our logging, one word a line.
kafka_java() {
  printf '%s\n' java "-Dlog4j2.configurationFile=$(dirname "$(kafka_config)")/kafka-log4j2.properties" "$@"
}

# kafka_format: makes the data folder, with the marker written last.
kafka_format() {
  local data
  local -a tool
  data=$(kafka_data)
  check_owner "$data"
  as_parts_user test -e "$data/smshub-complete" && return
  say "  making Kafka's data folder $data"
  delete_folder "$data"
  own_folder "$data"
  mapfile -t tool < <(kafka_java -cp "$(kafka_classes)" kafka.tools.StorageTool)
  as_parts_user "${tool[@]}" format --standalone -t "$(kafka_cluster_id)" -c "$(kafka_config)" \
    >>"$(kafka_log)" 2>&1 || {
    last_lines "$(kafka_log)"
    die "Kafka's storage could not be formatted; the whole output is in $(kafka_log)"
  }
  as_parts_user touch "$data/smshub-complete"
}

# kafka_cluster_id: 16 random bytes in URL-safe base64, as Kafka's own tool makes them. It
# may not begin with a dash.
kafka_cluster_id() {
  printf 's%s\n' "$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c2-22)"
}

kafka_launch() {
  local -a java
  mapfile -t java < <(kafka_java -Xms512m -Xmx512m -XX:+UseSerialGC -XX:MaxDirectMemorySize=128m \
    -Xss256k -XX:ReservedCodeCacheSize=96m -cp "$(kafka_classes)" kafka.Kafka)
  process_start "$(kafka_pid_file)" "$(kafka_log)" "${AS_PARTS_USER[@]}" "${java[@]}" "$(kafka_config)"
}

kafka_stop() { process_stop "$(kafka_pid_file)" TERM 60; }
