-- The books. See ledger/README.md for what they guarantee.

-- One row a chunk. Everything but the two maps is written once: it is the hold, that is the
-- transfer balance → held of `cost`. The maps only grow, and each growth has an entry.
create table hold (
    chunk_id      bigint not null,
    account_id    bigint not null,
    -- The record that asked for it: sms.submitted.<lane>, partition, offset.
    topic         text not null,
    partition     integer not null,
    source_offset bigint not null,
    -- What the customer asked for: same id and same hash is a repetition.
    request_hash  bigint not null,
    size          smallint not null check (size between 1 and 256),
    -- The different prices, and which of them each message has (empty where there is one).
    prices        bigint[] not null check (cardinality(prices) between 1 and 16),
    price_index   bytea not null,
    -- The length of the prefix that was paid for, and its cost.
    paid          smallint not null check (paid between 0 and size),
    cost          bigint not null check (cost >= 0),
    settled       bit(256) not null default 0::bit(256),
    voided        bit(256) not null default 0::bit(256),
    billed_at     timestamptz not null default clock_timestamp(),
    primary key (chunk_id),
    constraint l4_disjoint check ((settled & voided) = 0::bit(256)),
    constraint l4_inside_the_paid_prefix check (((settled | voided) << paid::integer) = 0::bit(256))
) partition by range (chunk_id);

-- Every movement of money that is not a hold. Rows are never changed.
create table entry (
    id         bigint generated always as identity primary key,
    account_id bigint not null,
    -- charge: outside → balance; settle: held → revenue; void: held → balance (the refund).
    kind       text not null check (kind in ('charge', 'settle', 'void')),
    amount     bigint not null check (amount >= 0),
    chunk_id   bigint,
    -- The messages of the chunk that this entry settles or voids.
    bits       bit(256),
    reference  text,
    at         timestamptz not null default clock_timestamp(),
    check ((kind = 'charge') = (chunk_id is null)),
    check ((kind = 'charge') = (bits is null)),
    check (kind <> 'charge' or amount > 0)
);
create index entry_of_chunk on entry (chunk_id) where chunk_id is not null;

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'rows of % are immutable', tg_table_name;
end $$;
create trigger entry_is_immutable before update or delete or truncate on entry
    for each statement execute function refuse_change();
create trigger hold_is_immutable
    before update of chunk_id, account_id, topic, partition, source_offset, request_hash,
                     size, prices, price_index, paid, cost, billed_at
    on hold for each row execute function refuse_change();
create trigger hold_is_kept before delete on hold
    for each row execute function refuse_change();

-- What cannot go on waits here for a person; nothing is dropped.
create table parked (
    id            bigint generated always as identity primary key,
    topic         text not null,
    partition     integer not null,
    source_offset bigint not null,
    reason        text not null,
    chunk_id      bigint,
    account_id    bigint,
    record        bytea not null,
    at            timestamptz not null default clock_timestamp(),
    unique (topic, partition, source_offset)
);
