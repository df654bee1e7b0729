-- For connectors whose receipts come with the operator's own ids alone (a setting): which message
-- each id is of. Divided by day as history is. Written by dlr-reconciler.
create table operator_message (
    connector   text not null,
    -- As `wire::receipts::operator_id` writes it.
    operator_id text not null,
    chunk_id    bigint not null,
    position    smallint not null,
    attempt     smallint not null,
    primary key (connector, operator_id, chunk_id, position, attempt)
) partition by range (chunk_id);

-- Receipts with such ids, until the message is known; then they go on to pending_receipt.
create table named_receipt (
    id          bigint generated always as identity primary key,
    connector   text not null,
    operator_id text not null,
    receipt     smallint not null,
    code        smallint not null,
    -- When it was heard, in milliseconds since 1970.
    heard_ms    bigint not null,
    -- Of the topic it came by.
    topic       text not null,
    partition   integer not null,
    at          timestamptz not null default clock_timestamp()
);
create index named_receipt_of on named_receipt (connector, operator_id);
