-- Campaigns: a text with places for the values of a file's rows, and how far the file is taken in.

create table campaign (
    id          bigint generated always as identity primary key,
    account_id  bigint not null references account (id),
    name        text not null,
    -- With {placeholders}.
    text        text not null,
    line        text not null,
    ttl_seconds integer not null check (ttl_seconds > 0),
    -- What a row's fault does: the row is left out, or the upload stops in front of it.
    on_error    text not null check (on_error in ('skip', 'stop')),
    status      text not null default 'open' check (status in ('open', 'closed', 'canceled')),
    created_at  timestamptz not null default clock_timestamp(),
    closed_at   timestamptz,
    -- From here on what is not yet sent is closed as canceled.
    canceled_at timestamptz,

    -- The rows of the file that are taken in, and the rolling hash over them: the same rows
    -- are recognised by these two when the file comes again.
    rows        bigint not null default 0 check (rows >= 0),
    row_hash    bigint not null default 0,
    -- Of these rows: what is paid for, in messages, segments and money.
    accepted    bigint not null default 0 check (accepted >= 0),
    segments    bigint not null default 0 check (segments >= 0),
    price       bigint not null default 0 check (price >= 0),
    -- And what was left out because of a fault, with the first hundred faults.
    invalid     bigint not null default 0 check (invalid >= 0),
    errors      jsonb not null default '[]',
    -- The numbers of those that billing refused: they are sent when the file comes again.
    owed        bigint[] not null default '{}',

    -- The upload that runs, and the process that runs it; whoever comes later puts its own
    -- here when that process is dead, and the former can store nothing any more.
    upload         uuid,
    upload_process uuid,
    uploaded_at    timestamptz,

    check ((status = 'canceled') = (canceled_at is not null)),
    check (accepted + invalid + cardinality(owed) = rows)
) with (fillfactor = 50);
create index campaign_of_account on campaign (account_id, id);
create index campaign_canceled on campaign (canceled_at) where canceled_at is not null;

-- The stamps of the segment of a file that was last handed to Kafka, stored before: until
-- billing's verdict on all of it is known. What is rebuilt from it and from the same rows is
-- the same, so that producing it once more repeats nothing.
create table campaign_segment (
    campaign_id     bigint primary key references campaign (id),
    -- Its messages are the rows behind `rows_before` up to `rows_after`, but for those in
    -- `left_out` (counted from `rows_before`).
    rows_before     bigint not null,
    rows_after      bigint not null,
    hash_after      bigint not null,
    left_out        integer[] not null,
    -- Those of these that are at fault, and the faults.
    invalid         integer[] not null,
    errors          jsonb not null,
    first_chunk     bigint not null,
    -- Messages of each chunk.
    chunks          smallint[] not null,
    -- One byte a message.
    segments        bytea not null,
    -- Over the chunks' request hashes.
    hash            bigint not null,
    line            text not null,
    tariff_version  integer not null,
    created_at_ms   bigint not null,
    send_by_ms      bigint not null
) with (fillfactor = 50);

-- The campaign of a chunk, where it belongs to one; known when its billed record is.
alter table chunk_state add column campaign_id bigint;

-- How many messages of a campaign are recorded (status `submitted`), how many an operator has
-- (`sent`), and how many ended in each final status. Written by dlr-reconciler only, in the
-- transactions that move the states.
create table campaign_count (
    campaign_id bigint not null,
    status      text not null,
    messages    bigint not null,
    primary key (campaign_id, status)
) with (fillfactor = 50);

-- What was charged for these messages, and what of that came back.
create table campaign_money (
    campaign_id bigint primary key,
    price       bigint not null,
    refunded    bigint not null,
    -- When the first was recorded, and when anything changed last.
    first_at    timestamptz not null default clock_timestamp(),
    last_at     timestamptz not null default clock_timestamp()
) with (fillfactor = 50);
