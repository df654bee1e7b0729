# shellcheck shell=bash
# The demonstration account of `make run`: made once, kept in demo.env, topped up.

# Enough for the sample four times over, and what it is filled up to (rial).
readonly DEMO_LEAST=50000000 DEMO_FULL=100000000

demo_file() { printf '%s\n' "$PROFILE_DIR/demo.env"; }

# demo_balance: prints the account's balance. Fails with 1 when the key is not known (any
# more), with 2 when there is no answer to that question: it says nothing of the key.
demo_balance() {
  local answer="" deadline=$((SECONDS + 15))
  while ((SECONDS < deadline)); do
    answer=$(HTTP_HEADER="Authorization: Bearer $SMSHUB_KEY" http_get "$API_PORT" /v1/balance) || answer=""
    if [[ $answer == 200$'\n'* && $answer =~ \"balance\":\ *([0-9]+) ]]; then
      printf '%s\n' "${BASH_REMATCH[1]}"
      return
    fi
    [[ $answer != 401$'\n'* ]] || return 1
    sleep 0.2
  done
  return 2
}

# ready_demo: sets DEMO_ACCOUNT and exports SMSHUB_KEY, of an account that can pay.
ready_demo() {
  local balance status=0
  if [[ -r $(demo_file) ]]; then
    # shellcheck source=/dev/null
    source "$(demo_file)"
    export SMSHUB_KEY
    balance=$(demo_balance) || status=$?
    ((status != 2)) || die "the API does not say the balance of account $DEMO_ACCOUNT; its log is $SMSHUB_LOG"
    if ((status == 0)); then
      say "demonstration account $DEMO_ACCOUNT has a balance of $balance rial"
      if ((balance < DEMO_LEAST)); then
        say "charging it up to $DEMO_FULL rial"
        smshub account charge "$DEMO_ACCOUNT" $((DEMO_FULL - balance)) >/dev/null ||
          die "account $DEMO_ACCOUNT could not be charged, see above"
      fi
      return
    fi
    say "the key in $(demo_file) is not known to this database: making a new account"
  fi
  make_demo
}

make_demo() {
  DEMO_ACCOUNT=$(smshub account create --name demo --line 100002) ||
    die "the demonstration account could not be made, see above"
  smshub account charge "$DEMO_ACCOUNT" "$DEMO_FULL" >/dev/null ||
    die "account $DEMO_ACCOUNT could not be charged, see above"
  SMSHUB_KEY=$(smshub key create --account "$DEMO_ACCOUNT" --scope send,read) ||
    die "no key could be made for account $DEMO_ACCOUNT, see above"
  export SMSHUB_KEY
  # Last, by a rename and for this user only: a file that is there is whole.
  (
    umask 077
    printf 'DEMO_ACCOUNT=%q\nSMSHUB_KEY=%q\n' "$DEMO_ACCOUNT" "$SMSHUB_KEY" >"$(demo_file).new"
  )
  mv "$(demo_file).new" "$(demo_file)"
  say "demonstration account $DEMO_ACCOUNT made, with $DEMO_FULL rial; its key is in $(demo_file)"
}

# send_sample: the whole point: the file through the public API, and the books after it.
send_sample() {
  local failed=0
  say "sending samples/recipients.csv through the public API"
  run_step smshub send --url "http://127.0.0.1:$API_PORT" --file "$ROOT/samples/recipients.csv" \
    --text "$(cat "$ROOT/samples/text.txt")" || failed=1
  say "auditing the books"
  run_step smshub audit || failed=1
  return $failed
}

# print_places: what to open and what to paste.
print_places() {
  local api=http://127.0.0.1:$API_PORT management=http://127.0.0.1:$MANAGEMENT_PORT
  cat <<TEXT

smshub is up:
  API, with its documentation   $api/api/docs/
  is it ready?                  $management/readyz
  metrics                       $management/metrics
  the simulated operator        http://127.0.0.1:$SIMULATOR_PORT/control/settings
  logs                          $LOG_DIR/

Send one express message, and read the balance:
  curl -sS $api/v1/messages -H 'Authorization: Bearer $SMSHUB_KEY' -H 'Content-Type: application/json' -d '{"to": "09120000001", "text": "کد ورود: ۱۲۳۴", "lane": "express"}'
  curl -sS $api/v1/balance -H 'Authorization: Bearer $SMSHUB_KEY'

TEXT
}
