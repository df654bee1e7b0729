# shellcheck shell=bash

# check_disk FOLDER MIB: dies when less than that is free there. A broker or a database that
# runs into a full disk stops in ways that are hard to read.
check_disk() {
  local free
  free=$(df -Pm "$1" | awk 'NR == 2 { print $4 }')
  ((free >= $2)) ||
    die "only $free MiB free on the disk of $1, $2 MiB are needed: free some, or lower the check with SMSHUB_MIN_FREE_MIB=N"
}
