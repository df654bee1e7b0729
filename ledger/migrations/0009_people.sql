-- What people decide about customers: who may send how much over which line, since when which
-- tariff holds; and a row for everything they changed.

alter table account
    -- Refused at the door while set. What was accepted before goes on.
    add column suspended_at timestamptz,
    -- Segments a minute in lane standard and in lane express; null: as the settings say.
    add column rate_limit_per_minute integer check (rate_limit_per_minute > 0),
    add column express_rate_limit_per_minute integer check (express_rate_limit_per_minute > 0);

alter table api_key
    -- Written now and then, not at each use.
    add column last_used_at timestamptz;

-- What is known of a sender line. One that is not here is an ordinary one.
create table line (
    line        text primary key,
    -- Only sent in the hours in which advertising is allowed.
    advertising boolean not null default false,
    note        text not null default ''
);
insert into line (line) select distinct unnest(lines) from account;

-- Since when a version of the tariff holds; `tariff` has its prices.
create table tariff_version (
    version      integer primary key check (version > 0),
    effective_at timestamptz not null,
    created_at   timestamptz not null default clock_timestamp()
);
insert into tariff_version (version, effective_at)
    select distinct version, timestamptz '-infinity' from tariff;

-- Who changed what, when, from what to what. Rows are never changed.
create table change (
    id      bigint generated always as identity primary key,
    at      timestamptz not null default clock_timestamp(),
    -- `key <id>` for a call with an administrator's key, `cli <user>@<host>` for a command.
    who     text not null,
    -- Such as `account.suspend`.
    what    text not null,
    -- What it was done to, such as `account 7`.
    subject text not null,
    -- Never a secret.
    before  jsonb,
    after   jsonb
);
create index change_of on change (subject, id);
create trigger change_is_immutable before update or delete or truncate on change
    for each statement execute function refuse_change();
