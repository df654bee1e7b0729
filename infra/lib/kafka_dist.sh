# shellcheck shell=bash
# Kafka's jars, resolved by Maven once and kept. The folder appears by a rename when it is
# whole, so an interrupted download leaves nothing that looks finished.

kafka_dist_dir() { printf '%s\n' "${DATA_DIR:-$LOCAL_DATA}/kafka-dist"; }

kafka_pom_sum() { sha256sum <"$ROOT/infra/kafka/pom.xml" | cut -c1-64; }

# kafka_dist_ready: are the jars there, and those of the present pom.xml?
kafka_dist_ready() {
  local sum
  { read -r sum <"$(kafka_dist_dir)/pom.sha256"; } 2>/dev/null || return 1
  [[ $sum == "$(kafka_pom_sum)" ]]
}

# resolve_kafka_dist: makes it so.
resolve_kafka_dist() {
  kafka_dist_ready && return
  local dist log=$LOCAL_DATA/maven.log home
  local -a repository=()
  dist=$(kafka_dist_dir)
  say "fetching Kafka's jars by Maven (about 45 MB, once)"
  rm -rf "$dist".new
  mkdir -p "$dist".new
  # Maven keeps what it fetched in the user's home, by /etc/passwd and not by $HOME. System
  # users have none.
  home=$(getent passwd "$EUID" | cut -d: -f6) || home=''
  [[ -w $home ]] || repository=("-Dmaven.repo.local=$dist.new/repository")
  # -C: a jar whose checksum does not match is an error.
  if ! mvn -B -C -f "$ROOT/infra/kafka/pom.xml" dependency:copy-dependencies \
    "${repository[@]}" -DoutputDirectory="$dist.new/lib" -DincludeScope=runtime >"$log" 2>&1 </dev/null; then
    last_lines "$log"
    die "Maven could not fetch Kafka's jars: check the network (or ~/.m2/settings.xml, for a mirror) and start again; the whole output is in $log"
  fi
  kafka_pom_sum >"$dist.new/pom.sha256"
  chmod -R a+rX "$dist".new
  rm -rf "$dist.new/repository" "$dist"
  mv "$dist".new "$dist"
}
