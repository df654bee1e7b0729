-- Who is alive, who mints ids, who holds which partition, and how far each has come.
-- All times are of the database's clock.

create table process (
    id            uuid primary key,
    -- A restart with the same data folder (whose lock it could take) proves that the
    -- predecessor is dead.
    data_folder   uuid not null,
    roles         text[] not null,
    -- The newest record version this process reads; writers use the lowest of the living.
    reads_version smallint not null,
    alive_until   timestamptz not null,
    -- Said by whoever finds it lapsed, before taking anything from it; never unsaid. A
    -- renewal and this write meet at the row's lock, so only one of them happens.
    dead          boolean not null default false,
    started_at    timestamptz not null default clock_timestamp()
);

-- The node numbers inside message ids. A number may be taken when `mint_until` has passed.
create table node (
    number     smallint primary key check (number between 0 and 63),
    process    uuid,
    mint_until timestamptz not null default '-infinity'
);
insert into node (number) select generate_series(0, 63);

create table ownership (
    role      text not null,
    partition integer not null,
    process   uuid,
    epoch     bigint not null default 0,
    primary key (role, partition)
);

-- The next offset a role reads, stored in the transaction that stores the effects of the
-- offsets before it. `epoch` is that of the holder: another's transaction finds no row.
create table position (
    role        text not null,
    topic       text not null,
    partition   integer not null,
    epoch       bigint not null default 0,
    next_offset bigint not null default 0 check (next_offset >= 0),
    -- billing-consumer: everything below is known to be in sms.billed.
    published   bigint not null default 0 check (published >= 0),
    -- sender: the highest source offset seen below the frontier; -1 before the first.
    last_source bigint not null default -1,
    primary key (role, topic, partition)
) with (fillfactor = 50);
