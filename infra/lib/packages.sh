# shellcheck shell=bash
# What Kafka, Postgres and the build need from the system. Found by what is there, not by
# package names, so that other systems work too; installed by apt when that is possible.

# postgres_bin: prints the folder of the newest Postgres server (15 or later).
postgres_bin() {
  local bin
  bin=$(find /usr/lib/postgresql/*/bin -maxdepth 1 -name initdb -printf '%h\n' 2>/dev/null | sort -V | tail -n 1)
  if [[ -z $bin ]] && command -v initdb >/dev/null; then
    bin=$(dirname "$(readlink -f "$(command -v initdb)")")
  fi
  [[ -n $bin && -x $bin/postgres ]] || return 1
  printf '%s\n' "$bin"
}

# java_version: prints the major version, 0 without Java.
java_version() {
  local text
  text=$(java -version 2>&1) || text=''
  [[ $text =~ version\ \"([0-9]+) ]] && printf '%s\n' "${BASH_REMATCH[1]}" || printf '0\n'
}

# missing_packages: prints the Debian packages that would bring what is missing.
missing_packages() {
  postgres_bin >/dev/null || echo postgresql
  (($(java_version) >= 17)) || echo default-jre-headless
  kafka_dist_ready || command -v mvn >/dev/null || echo maven
  # librdkafka's build compiles its C++ half too.
  command -v c++ >/dev/null || echo g++
  # The check that the sample is what its script makes, and the tests of customers' clients.
  [[ $PROFILE != test ]] || missing_languages
}

# missing_languages: those in which the samples of the API guide are written.
missing_languages() {
  command -v python3 >/dev/null || echo python3
  python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
  command -v node >/dev/null || echo nodejs
  command -v npm >/dev/null || echo npm
  command -v go >/dev/null || echo golang-go
  command -v php >/dev/null || echo php-cli
  command -v curl >/dev/null || echo curl
}

# install_packages: makes sure nothing is missing.
install_packages() {
  local -a missing
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]})) || return 0
  if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
    die "missing Debian packages: ${missing[*]}; install them (apt-get install ${missing[*]}) and start again"
  fi
  say "installing Debian packages: ${missing[*]}"
  mkdir -p "$LOCAL_DATA"
  local log=$LOCAL_DATA/apt.log
  if ! apt_install "${missing[@]}" >"$log" 2>&1; then
    # The usual cause: the package lists are older than the mirror.
    { apt-get update && apt_install "${missing[@]}"; } >>"$log" 2>&1 || {
      last_lines "$log"
      die "apt-get could not install: ${missing[*]}; the whole output is in $log"
    }
  fi
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]} == 0)) || die "still missing after the installation: ${missing[*]}"
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" </dev/null
}
