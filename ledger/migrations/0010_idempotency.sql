-- What customers asked for with an Idempotency-Key, so that the same request sent again is the
-- same call, and not another one.

-- The rules of a day: countries, lengths, times to live. A call is rebuilt by those that held
-- when it was first asked for. One row for each set of settings that was ever in force.
create table idempotency_rules (
    id    integer generated always as identity primary key,
    rules jsonb not null unique
);

-- One row a key. Of a call for messages it is written before anything is produced, of a charge
-- together with its entry. Kept for `ingest.idempotency.keep_hours`.
create table idempotency (
    account_id     bigint not null,
    -- Unique to each time somebody works on it: the first id that was reserved for that time.
    -- 0 for a charge, which is done within one transaction.
    attempt        bigint not null,
    created_at     timestamptz not null default clock_timestamp(),
    -- What its records are rebuilt from, beside the request itself: when it was taken, in
    -- milliseconds since 1970; the ids and their number; the line, the lane travelled in, the
    -- version of the tariff, the rules. Null of a charge.
    taken_at_ms    bigint,
    first_id       bigint,
    -- What a rebuilt call must come to again.
    price          bigint,
    chunks         integer,
    messages       integer,
    tariff_version integer,
    rules          integer,
    -- The entry of a charge, and when it was booked.
    entry_id       bigint,
    charged_at     timestamptz,
    -- What was said of the balance: after a charge, or where it did not suffice.
    balance        bigint,
    -- Who works on it. A process that is not alive does so no more.
    process        uuid,
    -- The first 16 bytes of the SHA-256 of method, path and body.
    request_hash   bytea not null check (octet_length(request_hash) = 16),
    key            text collate "C" not null check (octet_length(key) between 1 and 255),
    -- working: by `process`, if that is alive. released: nobody works on it, and what became of
    -- it is not known: whoever comes with the same request does it again, to the letter.
    -- accepted, refused (the balance did not suffice when billed), charged: it was answered so.
    state          text not null
        check (state in ('working', 'released', 'accepted', 'refused', 'charged')),
    lane           text check (lane in ('express', 'standard', 'bulk')),
    line           text,
    -- The places in the customer's list of messages that were left out for a reason which changes
    -- by itself (the recipient opted out); null: none.
    left_out       integer[],
    -- How many messages of each chunk the customer was told to be paid for; null: all of them.
    paid           smallint[],
    primary key (account_id, key),
    check (state = 'charged' or first_id is not null)
) with (
    -- Room for the one change that most rows see, beside them and in no index.
    fillfactor = 85,
    -- Rows come and go at the rate of calls: what was deleted is used again soon.
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 10000,
    autovacuum_analyze_scale_factor = 0.05
);
create index idempotency_by_age on idempotency (created_at);
