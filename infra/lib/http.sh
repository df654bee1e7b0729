# shellcheck shell=bash
# The little HTTP that the scripts need, so that curl is no prerequisite.

# http_get PORT PATH: prints the status on the first line and the body after it. The
# variable HTTP_HEADER may hold one header line.
http_get() {
  local answer
  # shellcheck disable=SC2016 # expanded by the inner bash
  answer=$(HTTP_HEADER=${HTTP_HEADER:-Accept: */*} timeout 5 bash -c '
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit
    printf "GET %s HTTP/1.0\r\nHost: 127.0.0.1:%s\r\n%s\r\n\r\n" "$2" "$1" "$HTTP_HEADER" >&3
    cat <&3' http_get "$1" "$2" 2>/dev/null | tr -d '\r\0') || return 1
  [[ $answer =~ ^HTTP/1\.[01]\ ([0-9]{3}) ]] || return 1
  printf '%s\n%s\n' "${BASH_REMATCH[1]}" "${answer#*$'\n\n'}"
}

# http_ok PORT PATH: is the answer 200?
http_ok() {
  local answer
  answer=$(http_get "$1" "$2") && [[ ${answer%%$'\n'*} == 200 ]]
}
