-- The end of a message: the sweep of what nobody answers, and the history of what is final.

-- The sweep needs it of every chunk, without reading the record. Null in rows of before: their
-- messages count as if they had been submitted with the longest time to live.
alter table chunk_content add column send_by timestamptz;

-- When an operator was last heard of by a connector: a poll it answered, a receipt it pushed.
-- Written by sender and ingest, at most once a second for each connector and process.
create table connector_heard (
    connector text primary key,
    last_at   timestamptz not null
) with (fillfactor = 50);

-- Chunks of which every message is final, until they are in history and gone from the open
-- tables. Written in the transaction that ends the last message.
create table chunk_finished (
    chunk_id  bigint primary key,
    partition integer not null,
    at        timestamptz not null default clock_timestamp()
);
create index chunk_finished_of_partition on chunk_finished (partition, at);

-- History: content and states of finished chunks, by the day in which their ids were minted.
-- A chunk is in the open tables, or here, or for some moments in both: then the open ones
-- count. Only a receipt that comes late changes a row.
create table history_chunk (
    chunk_id      bigint not null,
    account_id    bigint not null,
    lane          text not null,
    partition     integer not null,
    call_id       bigint not null,
    call_chunks   integer not null,
    call_messages integer not null,
    record        bytea compression lz4 not null,
    states        bytea compression lz4 not null,
    primary key (chunk_id)
) partition by range (chunk_id);

create table history_operator_ids (
    chunk_id       bigint not null,
    attempt        smallint not null,
    first_position smallint not null,
    connector      text not null,
    positions      bytea not null,
    operator_ids   text not null,
    primary key (chunk_id, attempt, first_position)
) partition by range (chunk_id);

-- What readers ask: open and history alike. A chunk leaves the open tables in one transaction,
-- after its copy was committed by an earlier one, so whatever a statement's snapshot is, it
-- finds every chunk, and finds it once.
create view all_chunk_content as
    select chunk_id, account_id, lane, call_id, call_chunks, call_messages, record from chunk_content
    union all
    select chunk_id, account_id, lane, call_id, call_chunks, call_messages, record from history_chunk h
    where not exists (select from chunk_content o where o.chunk_id = h.chunk_id);

create view all_chunk_state as
    select chunk_id, account_id, lane, partition, states from chunk_state
    union all
    select chunk_id, account_id, lane, partition, states from history_chunk h
    where not exists (select from chunk_state o where o.chunk_id = h.chunk_id);

create view all_chunk_operator_ids as
    select chunk_id, attempt, first_position, connector, positions, operator_ids from chunk_operator_ids
    union all
    select chunk_id, attempt, first_position, connector, positions, operator_ids
    from history_operator_ids h
    where not exists (select from chunk_state o where o.chunk_id = h.chunk_id);

-- What was finished before (the first byte of a message's state is its status: 10 and above are
-- final).
insert into chunk_finished (chunk_id, partition)
select chunk_id, partition from chunk_state
where not exists (select from generate_series(0, octet_length(states) / 16 - 1) as message
                  where get_byte(states, message * 16) < 10);
