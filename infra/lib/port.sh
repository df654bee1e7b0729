# shellcheck shell=bash
# Is a port of ours taken by somebody else? Read from /proc, so no tool has to be installed.

# port_inode PORT: prints the socket inode of whoever listens where 127.0.0.1:PORT would be
# answered (loopback or all addresses, IPv4 or IPv6).
port_inode() {
  local hex
  local -a tables=(/proc/net/tcp)
  # A kernel without IPv6 has no such table.
  [[ ! -r /proc/net/tcp6 ]] || tables+=(/proc/net/tcp6)
  hex=$(printf '%04X' "$1")
  # No pipe: awk stops reading at the first hit, and whoever wrote to it would die of that.
  awk -v port="$hex" '
    $4 == "0A" {
      split($2, at, ":")
      if (at[2] == port && (at[1] == "0100007F" || at[1] ~ /^0+$/ ||
          at[1] == "0000000000000000FFFF00000100007F")) { print $10; exit }
    }' "${tables[@]}"
}

# port_holder INODE: prints " by process N (name)" when this user may see it.
port_holder() {
  local fd pid
  fd=$(find /proc/[0-9]*/fd -maxdepth 1 -lname "socket:\[$1\]" -print -quit 2>/dev/null) || true
  [[ -n $fd ]] || return 0
  pid=${fd#/proc/}
  pid=${pid%%/*}
  printf ' by process %s (%s)' "$pid" "$(tr '\0\n' '  ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c1-120)"
}

# check_port WHAT NAME PORT: dies when the port is taken. NAME is that of port_setting.
check_port() {
  local inode
  inode=$(port_inode "$3")
  [[ -z $inode ]] ||
    die "port $3 for $1 is taken$(port_holder "$inode"): stop that, or choose another port with SMSHUB_${PROFILE^^}_$2_PORT=N"
}
