-- Webhooks: customers' endpoints, what they are to be told, and what became of telling them.

-- An endpoint of an account. What it is and whose is written by ingest; how it does, by
-- dlr-reconciler. It is told what happens while it is neither disabled nor deleted.
create table webhook_endpoint (
    id              bigint generated always as identity primary key,
    account_id      bigint not null references account,
    -- That of the account: whoever holds it calls the endpoint.
    partition       integer not null,
    url             text not null,
    -- The statuses it wants to be told.
    events          text[] not null check (cardinality(events) > 0),
    -- Events in one call at most; 1: each by itself.
    batch_size      smallint not null check (batch_size between 1 and 500),
    -- They sign, so they are kept; nobody is shown them again.
    secret          bytea not null,
    previous_secret bytea,
    previous_until  timestamptz,
    created_at      timestamptz not null default clock_timestamp(),
    -- Calls in a row that failed, and since when.
    failures        integer not null default 0,
    failing_since   timestamptz,
    -- It is left alone until then.
    not_before      timestamptz not null default '-infinity',
    last_success_at timestamptz,
    last_ms         integer not null default 0,
    -- Events that it was not told, and will not be.
    dropped         bigint not null default 0,
    disabled_at     timestamptz,
    -- gone: it said so (410); failing: for too long; backlog: too much waited for it.
    disabled_reason text check (disabled_reason in ('gone', 'failing', 'backlog')),
    deleted_at      timestamptz,
    check ((previous_secret is null) = (previous_until is null)),
    check ((disabled_at is null) = (disabled_reason is null))
) with (fillfactor = 50);
create index webhook_endpoint_of_account on webhook_endpoint (account_id);
create index webhook_endpoint_of_partition on webhook_endpoint (partition, id);

-- What an endpoint is to be told: one row for each chunk and transaction that changed statuses,
-- written by that transaction. Rows of one chunk rise as its statuses do. No foreign key: these
-- rows are written with accounts locked, and must wait for nobody who deletes an endpoint.
create table webhook_event (
    id          bigint generated always as identity,
    endpoint_id bigint not null,
    messages    smallint not null,
    -- 24 bytes a message: its id, and its state as this transaction left it.
    events      bytea compression lz4 not null,
    at          timestamptz not null default clock_timestamp(),
    primary key (endpoint_id, id)
);

-- What is said to an endpoint in one call, until it has taken it, and what became of it. A row is
-- made before the first call, so that a repeated one carries the same id and the same events.
create table webhook_delivery (
    id               bigint generated always as identity primary key,
    -- What receivers know it by. Random: a database restored to an earlier time must not give
    -- the ids of before to other events, which receivers would take for repeated ones.
    webhook_id       uuid not null,
    endpoint_id      bigint not null,
    messages         smallint not null,
    -- As in webhook_event; null when it is over.
    events           bytea compression lz4,
    happened_at      timestamptz not null,
    created_at       timestamptz not null,
    attempts         integer not null default 0,
    first_attempt_at timestamptz,
    last_attempt_at  timestamptz,
    -- When it is said (again); null when it is over.
    due              timestamptz,
    -- delivered; failed: in vain for too long; dropped: its endpoint was disabled.
    outcome          text check (outcome in ('delivered', 'failed', 'dropped')),
    -- Of the last attempt: HTTP's status, or a word for why there was none.
    last_status      smallint,
    last_trouble     text,
    last_ms          integer,
    check ((due is null) = (outcome is not null)),
    check ((events is null) = (outcome is not null))
) with (fillfactor = 70);
create index webhook_delivery_due on webhook_delivery (endpoint_id, due) where due is not null;
create index webhook_delivery_of_endpoint on webhook_delivery (endpoint_id, id);
