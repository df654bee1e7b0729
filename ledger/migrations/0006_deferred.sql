-- What the sender keeps of messages that wait for long, of its links to operators, and of what
-- people ordered. Written by sender; orders and resumptions by commands.

-- Chunks of which messages wait: one row each. The frontier of sms.billed does not wait
-- for them.
create table deferred (
    chunk_id    bigint primary key,
    lane        text not null,
    partition   integer not null,
    account_id  bigint not null,
    -- Where its record stands in sms.billed. The frontier may not have come there yet.
    billed_offset bigint not null,
    -- When the first of its messages is due.
    due         timestamptz not null,
    send_by     timestamptz not null,
    -- The messages for which a person must look.
    dead        bit(256) not null,
    -- Of each message that is not closed: attempt, tries, why and until when it waits.
    messages    bytea not null,
    -- The record of sms.billed, envelope and all.
    record      bytea compression lz4 not null,
    deferred_at timestamptz not null default clock_timestamp()
);
create index deferred_due on deferred (lane, partition, due);
create index deferred_dead on deferred (deferred_at) where dead <> 0::bit(256);

-- Orders from people for dead letters: carried out and deleted by the partition's holder.
create table dead_order (
    id         bigint generated always as identity primary key,
    chunk_id   bigint not null,
    lane       text not null,
    partition  integer not null,
    messages   bit(256) not null,
    verb       text not null check (verb in ('requeue', 'drop')),
    ordered_by text not null,
    at         timestamptz not null default clock_timestamp()
);
create index dead_order_of on dead_order (lane, partition, id);

-- What all processes agree on about a link to an operator.
create table connector (
    name         text primary key,
    -- The operator's code for which nothing is sent until a person resumes it.
    stopped_code smallint,
    stopped_at   timestamptz,
    check ((stopped_code is null) = (stopped_at is null))
);

-- What each process does with a link: its part of the permitted rate until it lapses, and how
-- things stand, for people.
create table connector_process (
    connector  text not null,
    process    uuid not null,
    -- Messages a second; null: as many as the operator takes.
    granted    double precision,
    lapses_at  timestamptz not null,
    -- Messages ready to be sent.
    backlog    bigint not null,
    -- closed, open or half_open.
    breaker    text not null,
    -- Slowed down by the operator's "too much" to so many messages a second.
    slowed_to  double precision,
    primary key (connector, process)
) with (fillfactor = 50);
