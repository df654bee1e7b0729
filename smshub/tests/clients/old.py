"""Plays a client that was written for the old gateway, and knows nothing newer than a key.

Called by the test beside it with one argument: a JSON object that names the gateway, users and
keys. Says which case failed, and ends with 1 if any did; else prints how many messages it sent.
"""

import datetime
import json
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import requests

WORLD = json.loads(sys.argv[1])
URL = WORLD["url"]
USER, OTHER, NOBODY = WORLD["user"], WORLD["other"], 987654321
CHARGE, SEND, REPORT = URL + "/billing/v1/charge", URL + "/sms/v1/send", URL + "/sms/v1/report"
TEHRAN = datetime.timezone(datetime.timedelta(hours=3, minutes=30))

# How long what becomes of messages may take on a busy machine.
PATIENCE_S = 60
TIMEOUT_S = 30

CASES = []
# What was accepted, by user: sms_id to (receiver, is_express).
SENT = {}


def case(function):
    CASES.append(function)
    return function


def call(method, url, key="key", **request):
    headers = dict(request.pop("headers", {}))
    if key is not None:
        headers["Authorization"] = "Bearer " + WORLD.get(key, key)
    return requests.request(method, url, headers=headers, timeout=TIMEOUT_S, **request)


def said(answer):
    """Status and body; the body is JSON, and never a problem of the new API."""
    kind = answer.headers.get("Content-Type", "")
    assert kind == "application/json", f"{answer.status_code} as {kind!r}: {answer.text!r}"
    return answer.status_code, answer.json()


def equal(found, expected):
    assert found == expected, f"found {found!r}, expected {expected!r}"


def refused(answer, status, body):
    equal(said(answer), (status, body))


def detail(answer, status, text):
    refused(answer, status, {"detail": text})


def post(url, body, key="key"):
    return call("POST", url, key, json=body)


def message(user=USER, **changed):
    body = {"user_id": user, "receiver": "09120000001", "content": "سلام"}
    body.update(changed)
    return {name: value for name, value in body.items() if value is not ...}


def send(body, key="key", **request):
    """Sends, and remembers what was accepted."""
    answer = call("POST", SEND, key, **(request or {"json": body}))
    if answer.status_code == 200:
        user, express = int(body["user_id"]), body.get("is_express") in (True, 1, "1", "true", "on", "Yes")
        SENT.setdefault(user, {})[answer.json()["sms_id"]] = (str(body["receiver"]), express)
    return answer


def accepted(answer):
    status, body = said(answer)
    equal(status, 200)
    equal(sorted(body), ["sms_id", "sms_id_str", "task_id"])
    assert isinstance(body["sms_id"], int) and body["sms_id"] > 2**53, body
    equal(body["sms_id_str"], str(body["sms_id"]))
    assert isinstance(body["task_id"], str) and body["task_id"], body
    return body["sms_id"]


def report(key="key", **query):
    query.setdefault("user_id", USER)
    return call("GET", REPORT, key, params=query)


def page(key="key", **query):
    status, body = said(report(key, **query))
    equal(status, 200)
    equal(sorted(body), ["count", "next", "previous", "results"])
    return body


REQUIRED = ["This field is required."]
BLANK = ["This field may not be blank."]
NULL = ["This field may not be null."]
INTEGER = ["A valid integer is required."]
PATTERN = ["This value does not match the required pattern."]
BOOLEAN = ["Must be a valid boolean."]
NOT_A_STRING = ["Not a valid string."]


# Charges


@case
def a_charge_answers_with_the_new_balance():
    for key, headers in [("charge_key", {}), (None, {"X-API-Key": WORLD["charge_key"]})]:
        before = said(call("GET", URL + "/v1/balance"))[1]["balance"]
        answer = call("POST", CHARGE, key, headers=headers, json={"user_id": USER, "amount": 2500})
        refused(answer, 200, {"user_id": USER, "total_balance": before + 2500})


@case
def a_charge_may_be_written_in_every_way_it_was():
    before = said(call("GET", URL + "/v1/balance"))[1]["balance"]
    user = str(USER)
    persian = user.translate(str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹"))
    arabic = user.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    ways = [
        {"json": {"user_id": user, "amount": "10", "comment": "ignored"}},
        {"json": {"user_id": persian, "amount": "۱۰"}},
        {"json": {"user_id": arabic, "amount": 10.0}},
        {"data": {"user_id": user, "amount": "10.0", "comment": "ignored"}},
        {"data": {"user_id": persian, "amount": " 10 "}},
        {"files": {"user_id": (None, user), "amount": (None, "۱۰")}},
    ]
    for number, way in enumerate(ways, 1):
        answer = call("POST", CHARGE, "charge_key", **way)
        refused(answer, 200, {"user_id": USER, "total_balance": before + 10 * number})


@case
def a_wrong_charge_is_told_by_its_fields():
    least = ["Ensure this value is greater than or equal to 1."]
    for body, errors in [
        ({}, {"user_id": REQUIRED, "amount": REQUIRED}),
        ({"user_id": None, "amount": None}, {"user_id": NULL, "amount": NULL}),
        ({"user_id": USER, "amount": 0}, {"amount": least}),
        ({"user_id": USER, "amount": "-5"}, {"amount": least}),
        ({"user_id": "x", "amount": ""}, {"user_id": INTEGER, "amount": INTEGER}),
        ({"user_id": [USER], "amount": 1.5}, {"user_id": INTEGER, "amount": INTEGER}),
        ({"user_id": True, "amount": {}}, {"user_id": INTEGER, "amount": INTEGER}),
        ({"user_id": USER, "amount": "9" * 1001}, {"amount": ["String value too large."]}),
        ([], {"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]}),
        (None, {"user_id": REQUIRED, "amount": REQUIRED}),
    ]:
        refused(post(CHARGE, body, "charge_key"), 400, errors)
    refused(call("POST", CHARGE, "charge_key", data={"amount": ""}), 400, {"user_id": REQUIRED, "amount": INTEGER})


@case
def a_body_that_cannot_be_read_is_told_so():
    as_json = {"Content-Type": "application/json"}
    for url, key in [(CHARGE, "charge_key"), (SEND, "key")]:
        for broken in ["{", "{'user_id': 1}", '{"user_id": }', "hello", "\xff"]:
            status, body = said(call("POST", url, key, headers=as_json, data=broken.encode("latin-1")))
            equal((status, list(body)), (400, ["detail"]))
            assert body["detail"].startswith("JSON parse error - "), body
        null = call("POST", url, key, headers=as_json, data="null")
        refused(null, 400, {"non_field_errors": ["No data provided"]})
        other = call("POST", url, key, headers={"Content-Type": "text/plain"}, data="user_id=1")
        detail(other, 415, 'Unsupported media type "text/plain" in request.')
        large = call("POST", url, key, json={"content": "x" * 100_000})
        equal((large.status_code, list(said(large)[1])), (413, ["detail"]))


@case
def who_may_charge_whom():
    charge = {"user_id": OTHER, "amount": 1}
    detail(call("POST", CHARGE, None, json=charge), 401, "Authentication credentials were not provided.")
    detail(call("POST", CHARGE, "sk_wrong", json=charge), 401, "Invalid token.")
    # Another's, and one without the scope.
    for key in ["charge_key", "key", "other_key"]:
        status, body = said(post(CHARGE, charge, key))
        equal((status, list(body)), (403, ["detail"]))
    before = said(call("GET", URL + "/v1/balance", "other_key"))[1]["balance"]
    refused(post(CHARGE, charge, "admin_key"), 200, {"user_id": OTHER, "total_balance": before + 1})
    nobody = post(CHARGE, {"user_id": NOBODY, "amount": 1}, "admin_key")
    detail(nobody, 404, "No User matches the given query.")


@case
def only_their_own_methods():
    for url, method in [(CHARGE, "GET"), (CHARGE, "PUT"), (SEND, "GET"), (SEND, "DELETE"), (REPORT, "POST"), (REPORT, "PATCH")]:
        answer = call(method, url)
        detail(answer, 405, f'Method "{method}" not allowed.')
        equal(answer.headers["Allow"].split(",")[0], "GET" if url == REPORT else "POST")


# Sending


@case
def a_message_is_sent_in_every_way_it_was():
    persian = "۰۹۱۲۰۰۰۰۰۰۲"
    for way in [
        {"json": message()},
        {"json": message(user_id=str(USER), receiver=" 989120000001 ", is_express="Yes", more={"ignored": 1})},
        {"json": message(receiver=persian, is_express=1)},
        {"json": message(receiver="٠٩١٢٠٠٠٠٠٠٣", is_express="0")},
        {"json": message(receiver=989120000004, content=1234)},
        {"data": message(is_express="true")},
        {"data": message(is_express="")},
        {"data": message(user_id=str(USER), receiver=persian, content="a&b=c د", is_express="on")},
        {"files": {name: (None, str(value)) for name, value in message(is_express="1").items()}},
        {"json": message(content="  \n" + "س" * 480 + "  ")},
        {"json": message(content="x" * 480)},
    ]:
        body = way.get("json") or way.get("data") or message(is_express="1")
        accepted(send(body, **way))


@case
def a_wrong_message_is_told_by_its_fields():
    for changed, errors in [
        ({"user_id": ..., "receiver": ..., "content": ...}, {"user_id": REQUIRED, "receiver": REQUIRED, "content": REQUIRED}),
        ({"user_id": None, "receiver": None, "content": None, "is_express": None},
         {"user_id": NULL, "receiver": NULL, "content": NULL, "is_express": NULL}),
        ({"user_id": "", "receiver": "", "content": " \n ", "is_express": ""},
         {"user_id": INTEGER, "receiver": BLANK, "content": BLANK, "is_express": BOOLEAN}),
        ({"user_id": 1.5, "receiver": True, "content": ["a"], "is_express": "perhaps"},
         {"user_id": INTEGER, "receiver": NOT_A_STRING, "content": NOT_A_STRING, "is_express": BOOLEAN}),
        ({"receiver": "12345678", "is_express": 2}, {"receiver": PATTERN, "is_express": BOOLEAN}),
        ({"receiver": "1234567890123456"}, {"receiver": PATTERN}),
        ({"receiver": "+989120000001"}, {"receiver": PATTERN}),
        ({"receiver": "0912 000 0001"}, {"receiver": PATTERN}),
        ({"content": "x" * 481}, {"content": ["Ensure this field has no more than 480 characters."]}),
        ({"content": "س" * 481}, {"content": ["Ensure this field has no more than 480 characters."]}),
        ({"content": "a\0b"}, {"content": ["Null characters are not allowed."]}),
    ]:
        refused(post(SEND, message(**changed)), 400, errors)
    missing = call("POST", SEND, data={"receiver": "x"})
    refused(missing, 400, {"user_id": REQUIRED, "receiver": PATTERN, "content": REQUIRED})


@case
def what_matches_and_cannot_be_served_is_the_receivers_error():
    for receiver in ["123456789", "982112345678", "33612345678", "999999999999999"]:
        status, body = said(post(SEND, message(receiver=receiver)))
        equal((status, list(body)), (400, ["receiver"]))
        assert isinstance(body["receiver"], list) and isinstance(body["receiver"][0], str), body
    # 480 characters, but of more segments than a message may have.
    status, body = said(post(SEND, message(content="😀" * 480)))
    equal((status, list(body)), (400, ["content"]))


@case
def who_may_send_for_whom():
    detail(call("POST", SEND, None, json=message()), 401, "Authentication credentials were not provided.")
    detail(call("POST", SEND, "sk_wrong", json=message()), 401, "Invalid token.")
    for key, user in [("key", OTHER), ("key", NOBODY), ("charge_key", USER)]:
        status, body = said(post(SEND, message(user), key))
        equal((status, list(body)), (403, ["detail"]))
    accepted(send(message(OTHER), "admin_key"))
    detail(post(SEND, message(NOBODY), "admin_key"), 404, "No User matches the given query.")


@case
def above_the_rate_a_client_is_throttled():
    slow, key = WORLD["slow"], "slow_key"
    for _ in range(2):
        accepted(send(message(slow, is_express=True), key))
    answer = post(SEND, message(slow, is_express=True), key)
    seconds = int(answer.headers["Retry-After"])
    assert 1 <= seconds <= 60, seconds
    unit = "second" if seconds == 1 else "seconds"
    detail(answer, 429, f"Request was throttled. Expected available in {seconds} {unit}.")
    # The other lane has its own.
    accepted(send(message(slow), key))


@case
def insufficient_funds_is_said_at_once_and_truly():
    """Five messages are paid for; forty are sent, twenty at a time."""
    poor, key = WORLD["poor"], "poor_key"
    none = {"error": "Insufficient funds"}
    refused(send(message(poor), key), 400, none)
    refused(post(CHARGE, {"user_id": poor, "amount": 5999}, key), 200, {"user_id": poor, "total_balance": 5999})

    def one(number):
        began = time.monotonic()
        answer = send(message(poor, receiver=f"0912000{number:04}"), key)
        return answer.status_code, answer.text, time.monotonic() - began

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(one, range(40)))
    equal(sorted(status for status, _, _ in answers), [200] * 5 + [400] * 35)
    assert all(json.loads(text) == none for status, text, _ in answers if status == 400), answers
    assert all(took < TIMEOUT_S / 2 for _, _, took in answers), answers
    # 999 are left, and stay.
    refused(send(message(poor), key), 400, none)
    refused(send(message(poor, is_express=True), key), 400, none)
    listed = settled(poor, key)
    equal(sorted(row["id"] for row in listed), sorted(SENT[poor]))
    equal({row["cost"] for row in listed}, {1000})
    refused(post(CHARGE, {"user_id": poor, "amount": 1}, key), 200, {"user_id": poor, "total_balance": 1000 + refunds(listed)})


# The report


def settled(user, key):
    """All of a user's messages, when each has come to its end."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        rows = page(key, user_id=user, page_size=500)["results"]
        if len(rows) == len(SENT[user]) and all(row["status"] not in ("in_queue", "sent") for row in rows):
            return rows
        assert time.monotonic() < deadline, f"{len(rows)} of {len(SENT[user])}: {rows}"
        time.sleep(0.1)  # a look, not a hope: see the deadline


def refunds(rows):
    return sum(row["cost"] for row in rows if row["status"] != "delivered")


def when(text):
    at = datetime.datetime.fromisoformat(text)
    assert at.tzinfo is not None, text
    return at


@case
def a_report_shows_what_became_of_every_message():
    for number in range(60):
        express = number % 3 == 0
        accepted(send(message(receiver=f"0912000{number:04}", content=f"کد {number}", is_express=express)))
    rows = settled(USER, "key")
    ids = [row["id"] for row in rows]
    equal(ids, sorted(SENT[USER], reverse=True))
    fields = "content cost created_at id is_express message_id modified_at receiver sender status".split()
    now = datetime.datetime.now(TEHRAN)
    for row in rows:
        equal(sorted(row), fields)
        receiver, express = SENT[USER][row["id"]]
        digits = receiver.strip().translate(str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789"))
        equal(row["receiver"][-10:], digits[-10:])
        assert row["receiver"].isdigit(), row
        equal((row["sender"], row["is_express"]), ("100002", express))
        segments = -(-len(row["content"]) // 67) if len(row["content"]) > 70 and not row["content"].isascii() else 1
        segments = 4 if row["content"] == "x" * 480 else segments
        equal(row["cost"], segments * (1500 if express else 1000))
        assert row["status"] in ("delivered", "failed", "user_blocked"), row
        if row["status"] == "user_blocked":
            equal(row["message_id"], None)
        else:
            assert isinstance(row["message_id"], int), row
        created, modified = when(row["created_at"]), when(row["modified_at"])
        equal(created.utcoffset(), TEHRAN.utcoffset(None))
        assert created <= modified <= now + datetime.timedelta(seconds=PATIENCE_S), row
        assert now - created < datetime.timedelta(minutes=10), row
    contents = [row["content"] for row in rows]
    assert "س" * 480 in contents and "a&b=c د" in contents and "1234" in contents, contents


@case
def pages_follow_one_another():
    whole = page(page_size=500)
    ids, count = [row["id"] for row in whole["results"]], whole["count"]
    equal((count, whole["next"], whole["previous"]), (len(SENT[USER]), None, None))
    first = page()
    equal(([row["id"] for row in first["results"]], first["count"]), (ids[:25], count))
    seen, body, number = [], page(page_size=7, start_date="2026-01-01"), 1
    while True:
        seen += [row["id"] for row in body["results"]]
        equal(body["count"], count)
        if number > 1:
            back = urlsplit(body["previous"])
            before = {"user_id": [str(USER)], "page_size": ["7"], "start_date": ["2026-01-01"]}
            if number > 2:
                before["page"] = [str(number - 1)]
            equal(parse_qs(back.query), before)
        if body["next"] is None:
            break
        number += 1
        assert body["next"].startswith(f"{REPORT}?page={number}&page_size=7&start_date="), body["next"]
        status, body = said(call("GET", body["next"]))
        equal(status, 200)
    equal(seen, ids)
    equal(number, -(-count // 7))
    equal(page(page_size=7, page="last")["results"], body["results"])
    equal(page(page_size=7, page="۲")["results"], page(page_size=7, page=2)["results"])
    equal(page(page_size=7, page="")["results"], page(page_size=7)["results"])
    for size in ["501", "100000"]:
        equal([row["id"] for row in page(page_size=size)["results"]], ids)
    for size in ["0", "-3", "x"]:
        equal(len(page(page_size=size)["results"]), 25)
    for beyond in [number + 1, 10**9, 10**30, 0, -1, "x", "1.5"]:
        detail(report(page_size=7, page=beyond), 404, "Invalid page.")
    nothing = page("other_key", user_id=OTHER, status="created")
    equal(nothing, {"count": 0, "next": None, "previous": None, "results": []})
    detail(report("other_key", user_id=OTHER, status="created", page=2), 404, "Invalid page.")


@case
def filters_by_status():
    rows = page(page_size=500)["results"]
    for status in ["created", "in_queue", "sent", "delivered", "failed", "user_canceled", "user_blocked"]:
        of_status = [row for row in rows if row["status"] == status]
        body = page(status=status, page_size=500)
        equal((body["count"], body["results"]), (len(of_status), of_status))
    for status in ["delivered", "failed", "user_blocked"]:
        assert any(row["status"] == status for row in rows), f"none is {status}: the operator is too kind"
    for wrong in ["queued", "DELIVERED", "x"]:
        sentence = f"Select a valid choice. {wrong} is not one of the available choices."
        refused(report(status=wrong), 400, {"status": [sentence]})
    equal(page(status="")["count"], len(rows))


@case
def filters_by_receiver():
    rows = page(page_size=500)["results"]
    mine = [row for row in rows if row["receiver"].endswith("9120000002")]
    assert len(mine) > 1, mine
    for written in ["09120000002", "989120000002", "۰۹۱۲۰۰۰۰۰۰۲", "9120000002"]:
        body = page(receiver=written, page_size=500)
        equal((body["count"], body["results"]), (len(mine), mine))
    one = page(receiver="09120000002", page_size=1, page=2)
    equal((one["count"], one["results"]), (len(mine), mine[1:2]))
    delivered = [row for row in mine if row["status"] == "delivered"]
    equal(page(receiver="09120000002", status="delivered")["results"], delivered)
    for none in ["09129999999", "912000000", "x", "0912000000"]:
        equal(page(receiver=none)["count"], 0)
    equal(page(receiver="")["count"], len(rows))


@case
def filters_by_time():
    rows = page(page_size=500)["results"]
    count = len(rows)
    today = datetime.datetime.now(TEHRAN).date()
    day = datetime.timedelta(days=1)
    # The run may have begun before midnight.
    for start, end, expected in [
        (today - day, today, count), (today - day, None, count), (None, today, count),
        (today + day, None, 0), (None, today - 2 * day, 0), (today, today - day, 0),
    ]:
        query = {name: str(value) for name, value in [("start_date", start), ("end_date", end)] if value}
        equal(page(**query)["count"], expected)
    first, last = rows[-10], rows[10]
    between = [row for row in rows if when(first["created_at"]) <= when(row["created_at"]) <= when(last["created_at"])]
    utc = when(last["created_at"]).astimezone(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
    plain = first["created_at"].replace("+03:30", "").replace("T", " ")
    for start, end in [(first["created_at"], last["created_at"]), (plain, utc)]:
        body = page(start_date=start, end_date=end, page_size=500)
        equal((body["count"], body["results"]), (len(between), between))
    # The plus that nobody encoded.
    raw = call("GET", f"{REPORT}?user_id={USER}&page_size=500&start_date={first['created_at']}")
    equal(said(raw)[1]["count"], sum(when(row["created_at"]) >= when(first["created_at"]) for row in rows))
    equal(page(receiver="09120000002", end_date=str(today - 2 * day))["count"], 0)
    for name in ["start_date", "end_date"]:
        for wrong in ["yesterday", "2026-13-01", "1405/08/30"]:
            refused(report(**{name: wrong}), 400, {name: ["Enter a valid date/time."]})


@case
def who_may_read_whose_report():
    detail(call("GET", REPORT, None, params={"user_id": USER}), 401, "Authentication credentials were not provided.")
    for key, user in [("key", OTHER), ("key", NOBODY), ("charge_key", USER)]:
        status, body = said(report(key, user_id=user))
        equal((status, list(body)), (403, ["detail"]))
    equal(page("admin_key")["count"], len(SENT[USER]))
    detail(report("admin_key", user_id=NOBODY), 404, "No User matches the given query.")
    for query, errors in [
        ({"user_id": ""}, REQUIRED), ({"user_id": None}, REQUIRED), ({"user_id": "x"}, INTEGER), ({"user_id": "1.5"}, INTEGER),
    ]:
        refused(report(**query), 400, {"user_id": errors})
    both = report(user_id="x", status="y", start_date="z")
    equal(sorted(said(both)[1]), ["start_date", "status", "user_id"])
    equal(page(unknown="x", format="json")["count"], len(SENT[USER]))


@case
def the_documentation_is_where_it_was():
    schema = requests.get(URL + "/api/schema/", timeout=TIMEOUT_S)
    equal(schema.status_code, 200)
    paths = schema.json()["paths"]
    for path, method in [("/billing/v1/charge", "post"), ("/sms/v1/send", "post"), ("/sms/v1/report", "get")]:
        equal(list(paths[path]), [method])
        equal(paths[path][method]["tags"], ["legacy"])
    for path in ["/api/docs/", "/api/redoc/"]:
        answer = requests.get(URL + path, timeout=TIMEOUT_S)
        assert answer.status_code == 200 and "text/html" in answer.headers["Content-Type"], path


def main():
    failed = 0
    for function in CASES:
        name = function.__name__.replace("_", " ")
        try:
            function()
            print(f"ok      {name}")
        except Exception:  # whatever it was, the other cases are of interest, too
            failed += 1
            print(f"FAILED  {name}\n{traceback.format_exc()}")
    if failed:
        sys.exit(f"{failed} of {len(CASES)} cases failed")
    print(json.dumps({"sent": {str(user): len(sent) for user, sent in SENT.items()}}))


main()
