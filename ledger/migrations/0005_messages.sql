-- What is known of the messages themselves, one row a chunk in each table. Written by
-- dlr-reconciler only.

-- The chunk as it was billed: written once.
create table chunk_content (
    chunk_id      bigint primary key,
    account_id    bigint not null,
    lane          text not null,
    call_id       bigint not null,
    call_chunks   integer not null,
    call_messages integer not null,
    -- The record of sms.billed, envelope and all.
    record        bytea compression lz4 not null
);

-- The state of every message, 16 bytes each in chunk order, updated in place: the row has
-- its full size from the start and no index but the key, so that updates stay on the page.
create table chunk_state (
    chunk_id   bigint primary key,
    account_id bigint not null,
    lane       text not null,
    partition  integer not null,
    states     bytea not null
) with (fillfactor = 45);
alter table chunk_state alter column states set storage plain;

-- Operators' ids of the messages of one call, written once.
create table chunk_operator_ids (
    chunk_id       bigint not null,
    attempt        smallint not null,
    first_position smallint not null,
    connector      text not null,
    -- One byte a message, and beside it the ids, one a line.
    positions      bytea not null,
    operator_ids   text not null,
    primary key (chunk_id, attempt, first_position)
);

-- When to ask for receipts next. Beside the state and not in it: this changes more often
-- and is indexed.
create table receipt_poll (
    chunk_id  bigint primary key,
    lane      text not null,
    partition integer not null,
    connector text not null,
    -- The messages that still await a receipt.
    open      bit(256) not null,
    first_at  timestamptz not null,
    due       timestamptz not null
) with (fillfactor = 70);
-- The order in which a partition's due chunks are found, page by page.
create index receipt_poll_due on receipt_poll (lane, partition, due, chunk_id);

-- Receipts that came before anything else was known of their chunk.
create table pending_receipt (
    id        bigint generated always as identity primary key,
    chunk_id  bigint not null,
    topic     text not null,
    partition integer not null,
    -- The record of sms.receipts, envelope and all.
    record    bytea not null,
    at        timestamptz not null default clock_timestamp()
);
create index pending_receipt_of_chunk on pending_receipt (chunk_id);

-- How many messages of an account ended how, by the day they were submitted (UTC).
create table account_day (
    account_id bigint not null,
    day        date not null,
    lane       text not null,
    status     text not null,
    messages   bigint not null default 0,
    primary key (account_id, day, lane, status)
) with (fillfactor = 50);
