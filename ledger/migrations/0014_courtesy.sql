-- Law and courtesy: who does not want to be written to, what waits for the morning, what is
-- sent no more because its campaign was cancelled, and what is erased after a time.

-- Recipients that opted out. Owner: ingest/src/opt_outs.
create table opt_out (
    -- Lists have the newest first.
    id         bigint generated always as identity,
    account_id bigint not null references account (id),
    -- E.164 without the plus.
    number     bigint not null,
    -- The sender line; empty: of all lines of the account.
    line       text not null default '',
    created_at timestamptz not null default clock_timestamp(),
    primary key (account_id, number, line)
);
create index opt_out_newest on opt_out (account_id, id);

-- What changed in it, for as long as messages may be under way that were submitted before:
-- senders read it, and delete what is older (sender/src/courtesy).
create table opt_out_change (
    -- In the order of the changes of one row: drawn under that row's lock.
    id         bigint generated always as identity primary key,
    -- Ids are drawn before they are committed. What a reading may have missed was written by
    -- transactions that were still running then, or began later.
    changed_by xid8 not null default pg_current_xact_id(),
    at         timestamptz not null default clock_timestamp(),
    account_id bigint not null,
    number     bigint not null,
    line       text not null,
    removed    boolean not null
);
create index opt_out_change_read on opt_out_change (changed_by, id);
create index opt_out_change_age on opt_out_change (at);

-- Below which chunk id history has no texts and numbers any more. One row; whoever erases has
-- locked it (dlr-reconciler/src/erasure).
create table erased_below (chunk_id bigint not null);
insert into erased_below values (0);
create unique index erased_below_once on erased_below ((true));
create index parked_to_erase on parked (at) where record <> '';

alter table deferred
    -- All its messages wait for the hours in which advertising is allowed: such rows do not
    -- stand before others that are due.
    add column quiet boolean not null default false,
    -- Its campaign, where messages would end if that is cancelled.
    add column campaign_id bigint;
drop index deferred_due;
create index deferred_due on deferred (lane, partition, due) where not quiet;
create index deferred_quiet on deferred (lane, partition, due) where quiet;
create index deferred_campaign on deferred (campaign_id) where campaign_id is not null;
