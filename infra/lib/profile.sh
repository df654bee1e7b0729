# shellcheck shell=bash
# shellcheck disable=SC2034 # the variables are used by the files sourced beside this one
# The profiles: `run` (durable, for make run), `test` (fast, for make test) and `bench` (as
# durable as run, for make bench). Each has ports and data of its own, so all can be up at once.

# port_setting NAME DEFAULT: the value of the variable SMSHUB_<PROFILE>_<NAME>_PORT.
port_setting() {
  local variable=SMSHUB_${PROFILE^^}_$1_PORT
  local port=${!variable:-$2}
  [[ $port =~ ^[1-9][0-9]{0,4}$ && $port -lt 65536 ]] ||
    die "$variable is '$port', but a port is a number from 1 to 65535"
  printf '%s\n' "$port"
}

# use_profile run|test|bench: sets every variable below; call it once, before all else.
use_profile() {
  PROFILE=$1
  case $PROFILE in
    run)
      POSTGRES_PORT=$(port_setting POSTGRES 15432)
      KAFKA_PORT=$(port_setting KAFKA 19092)
      KAFKA_CONTROLLER_PORT=$(port_setting KAFKA_CONTROLLER 19093)
      API_PORT=$(port_setting API 8080)
      MANAGEMENT_PORT=$(port_setting MANAGEMENT 8081)
      SIMULATOR_PORT=$(port_setting SIMULATOR 8090)
      POSTGRES_CONF=run.conf
      ;;
    bench)
      POSTGRES_PORT=$(port_setting POSTGRES 35432)
      KAFKA_PORT=$(port_setting KAFKA 39092)
      KAFKA_CONTROLLER_PORT=$(port_setting KAFKA_CONTROLLER 39093)
      API_PORT=$(port_setting API 38080)
      MANAGEMENT_PORT=$(port_setting MANAGEMENT 38081)
      SIMULATOR_PORT=$(port_setting SIMULATOR 38090)
      # What is measured is what make run does: the same durability.
      POSTGRES_CONF=run.conf
      ;;
    test)
      POSTGRES_PORT=$(port_setting POSTGRES 25432)
      KAFKA_PORT=$(port_setting KAFKA 29092)
      KAFKA_CONTROLLER_PORT=$(port_setting KAFKA_CONTROLLER 29093)
      POSTGRES_CONF=test.conf
      ;;
    *) die "no profile '$PROFILE': say run, test or bench" ;;
  esac
  # What this user's own processes write lies in the checkout; what the parts write may
  # have to lie elsewhere, see user.sh.
  PROFILE_DIR=$LOCAL_DATA/$PROFILE
  LOG_DIR=$PROFILE_DIR/logs
  PID_DIR=$PROFILE_DIR/pids
  mkdir -p "$LOG_DIR" "$PID_DIR" 2>/dev/null || true
  [[ -w $PROFILE_DIR && -w $LOG_DIR && -w $PID_DIR ]] ||
    die "cannot write to $LOCAL_DATA: give that folder to $(id -un), or use a checkout of your own"
}
