# shellcheck shell=bash
# Who runs Kafka and Postgres: never root. Root lends them the system user that Debian's
# postgresql package makes; anybody else runs them as themselves.

# choose_parts_user: sets PARTS_USER and DATA_DIR (of all profiles). Call it after the
# packages are there.
choose_parts_user() {
  if ((EUID != 0)); then
    PARTS_USER=$(id -un)
    AS_PARTS_USER=()
    DATA_DIR=$LOCAL_DATA
    return
  fi
  PARTS_USER=postgres
  id "$PARTS_USER" >/dev/null 2>&1 ||
    die "there is no system user 'postgres' to run Kafka and Postgres as: install Debian's package postgresql, or run this as an ordinary user"
  # setpriv and not runuser: it becomes the command instead of staying its parent, so the
  # pid file names the daemon itself.
  # From /, because that user may not be allowed in the current folder.
  AS_PARTS_USER=(env --chdir=/ HOME=/nonexistent
    setpriv --reuid "$PARTS_USER" --regid "$(id -g "$PARTS_USER")" --init-groups --no-new-privs)
  DATA_DIR=$LOCAL_DATA
  mkdir -p "$LOCAL_DATA"
  if ! as_parts_user test -x "$ROOT" -a -x "$LOCAL_DATA"; then
    # Root's alone to make, and not cleaned up by age as /var/tmp is.
    DATA_DIR=/var/lib/smshub-$(printf '%s' "$ROOT" | sha256sum | cut -c1-12)
    say "user $PARTS_USER cannot reach $ROOT: the data of Kafka and Postgres is kept in $DATA_DIR"
    mkdir -p "$DATA_DIR"
    chmod 0755 "$DATA_DIR"
  fi
}

as_parts_user() { "${AS_PARTS_USER[@]}" "$@"; }

# check_owner FOLDER: data made by root's call and by an ordinary user's do not mix.
check_owner() {
  local owner
  owner=$(stat -c %U "$1" 2>/dev/null) || return 0
  [[ $owner == "$PARTS_USER" ]] ||
    die "$1 belongs to user $owner, but here Kafka and Postgres run as $PARTS_USER: start it as before, or delete $1"
}

# delete_folder FOLDER: the marker of completeness first, so that a deletion that is cut
# short leaves nothing that looks whole.
delete_folder() {
  rm -f "$1/smshub-complete"
  rm -rf "$1"
}

# own_folder FOLDER: makes it, the parts' user's own and nobody else's.
own_folder() {
  mkdir -p "$(dirname "$1")"
  if ((EUID == 0)); then
    install -d -m 0700 -o "$PARTS_USER" -g "$(id -gn "$PARTS_USER")" "$1"
  else
    install -d -m 0700 "$1"
  fi
}
