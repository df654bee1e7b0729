-- Lists and reports: an account's messages in the order of their ids, counted and searched
-- without reading their records.

-- How many of a chunk's messages have a status: two bytes each, the lower first, in the order
-- queued, sent, delivered, undelivered, failed, expired, refused, blocked, canceled.
create function status_count(counts bytea, place integer) returns integer
    language sql immutable parallel safe
    return get_byte(counts, 2 * place) + 256 * get_byte(counts, 2 * place + 1);

-- Whether what has this key may be in the filter `sought`: a Bloom filter whose eight bits a
-- key are taken from the key's two halves (domain/src/search.rs writes it). An empty filter
-- holds nothing.
create function may_hold(sought bytea, key bigint) returns boolean
    language sql immutable parallel safe
    return case when octet_length(sought) = 0 then false else
        get_bit(sought, (key & 4294967295) % (8 * octet_length(sought))) = 1
        and get_bit(sought, ((key & 4294967295) + (key >> 32 & 4294967295 | 1)) % (8 * octet_length(sought))) = 1
        and get_bit(sought, ((key & 4294967295) + 2 * (key >> 32 & 4294967295 | 1)) % (8 * octet_length(sought))) = 1
        and get_bit(sought, ((key & 4294967295) + 3 * (key >> 32 & 4294967295 | 1)) % (8 * octet_length(sought))) = 1
        and get_bit(sought, ((key & 4294967295) + 4 * (key >> 32 & 4294967295 | 1)) % (8 * octet_length(sought))) = 1
        and get_bit(sought, ((key & 4294967295) + 5 * (key >> 32 & 4294967295 | 1)) % (8 * octet_length(sought))) = 1
        and get_bit(sought, ((key & 4294967295) + 6 * (key >> 32 & 4294967295 | 1)) % (8 * octet_length(sought))) = 1
        and get_bit(sought, ((key & 4294967295) + 7 * (key >> 32 & 4294967295 | 1)) % (8 * octet_length(sought))) = 1
    end;

-- What a chunk is found by. Whoever erases what a chunk holds sets both keys to null and
-- `sought` to an empty value: then it is found by its account and time alone. An empty `record`
-- is listed without numbers, texts and line.
alter table chunk_content
    add column messages smallint,
    -- Null where it belongs to none.
    add column campaign_id bigint,
    -- Hashes of account and recipient, and of account and the customer's reference: of chunks
    -- of one message.
    add column recipient_key bigint,
    add column reference_key bigint,
    -- The same of chunks of several messages, as a filter. Null in rows of before: they have
    -- to be looked into.
    add column sought bytea;
alter table chunk_content alter column sought set storage plain;

alter table chunk_state
    add column counts bytea,
    -- Whether `chunk_content` had the chunk when the row was made, or had it later. Lists show
    -- chunks with content only; counters count states. (True is certain, false is looked up.)
    add column recorded boolean not null default false;
alter table chunk_state alter column counts set storage plain;

alter table history_chunk
    add column messages smallint,
    add column counts bytea,
    add column campaign_id bigint,
    add column recipient_key bigint,
    add column reference_key bigint,
    add column sought bytea;
alter table history_chunk alter column counts set storage plain;
alter table history_chunk alter column sought set storage plain;

-- What was stored before (the first byte of a message's state is its status).
create function pg_temp.counted(states bytea) returns bytea language sql immutable as $$
    select string_agg(set_byte(set_byte('\x0000'::bytea, 0, (n % 256)::integer), 1, (n / 256)::integer), ''::bytea
                      order by place)
    from (select place, count(message) as n
          from unnest(array[1, 2, 10, 11, 12, 13, 14, 15, 16]) with ordinality as s (code, place)
          left join generate_series(0, octet_length(states) / 16 - 1) as message
               on case get_byte(states, message * 16) when 0 then 1 else get_byte(states, message * 16) end = code
          group by place) as counted
$$;
update chunk_state s set counts = pg_temp.counted(states),
    recorded = exists (select from chunk_content c where c.chunk_id = s.chunk_id);
update history_chunk set messages = octet_length(states) / 16, counts = pg_temp.counted(states);
update chunk_content c set messages = coalesce(
    (select octet_length(s.states) / 16 from chunk_state s where s.chunk_id = c.chunk_id),
    (select h.size from hold h where h.chunk_id = c.chunk_id), 1);
alter table chunk_content alter column messages set not null;
alter table chunk_state alter column counts set not null;
alter table history_chunk alter column messages set not null, alter column counts set not null;

create index chunk_content_of_account on chunk_content (account_id, chunk_id);
create index chunk_content_of_campaign on chunk_content (campaign_id, chunk_id) where campaign_id is not null;
create index chunk_content_to on chunk_content (recipient_key, chunk_id) where recipient_key is not null;
create index chunk_content_reference on chunk_content (reference_key, chunk_id) where reference_key is not null;
-- Read without the rows: many filters stand on a page.
create index chunk_content_sought on chunk_content (account_id, chunk_id) include (sought)
    where recipient_key is null;
create index chunk_state_unrecorded on chunk_state (account_id) where not recorded;

create index history_chunk_of_account on history_chunk (account_id, chunk_id);
create index history_chunk_of_campaign on history_chunk (campaign_id, chunk_id) where campaign_id is not null;
create index history_chunk_to on history_chunk (recipient_key, chunk_id) where recipient_key is not null;
create index history_chunk_reference on history_chunk (reference_key, chunk_id) where reference_key is not null;
create index history_chunk_sought on history_chunk (account_id, chunk_id) include (sought)
    where recipient_key is null;

create or replace view all_chunk_content as
    select chunk_id, account_id, lane, call_id, call_chunks, call_messages, record, messages, campaign_id
    from chunk_content
    union all
    select chunk_id, account_id, lane, call_id, call_chunks, call_messages, record, messages, campaign_id
    from history_chunk h
    where not exists (select from chunk_content o where o.chunk_id = h.chunk_id);

-- An account's messages by the hour of their chunk's id (UTC) and lane: how many are recorded
-- (status `submitted`), and how many of them are in each status now. `queued` is not counted:
-- it is what remains.
create table account_hour (
    account_id bigint not null,
    hour       timestamptz not null,
    lane       text not null,
    status     text not null,
    messages   bigint not null default 0,
    primary key (account_id, hour, lane, status)
) with (fillfactor = 50);
insert into account_hour (account_id, hour, lane, status, messages)
with chunk as (
    select chunk_id, account_id, lane, messages,
           (select counts from chunk_state s where s.chunk_id = c.chunk_id) as counts
    from chunk_content c
    union all
    select chunk_id, account_id, lane, messages, counts from history_chunk h
    where not exists (select from chunk_content c where c.chunk_id = h.chunk_id)
    union all
    -- What is known of a chunk before its content is.
    select chunk_id, account_id, lane, 0, counts from chunk_state s where not recorded
)
select account_id,
       date_trunc('hour', timestamptz '2026-01-01 00:00:00Z' + (chunk_id >> 22) * interval '1 millisecond', 'UTC'),
       lane, status, sum(n)
from chunk cross join lateral (
    select 'submitted', messages::integer
    union all
    select word, status_count(counts, place::integer - 1)
    from unnest(array['queued', 'sent', 'delivered', 'undelivered', 'failed', 'expired', 'refused', 'blocked',
                      'canceled']) with ordinality as s (word, place)
    where place > 1 and counts is not null
) as counted (status, n)
where n > 0 group by 1, 2, 3, 4;
drop table account_day;

-- Charges and refunds of an account by time. (What was spent is found by its chunks.)
create index entry_of_account on entry (account_id, at, id) where kind <> 'settle';
