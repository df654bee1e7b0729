-- A stand-in with the columns that sending reads, until the migration of campaigns itself takes
-- its place.
create table campaign (
    id          bigint generated always as identity primary key,
    account_id  bigint not null references account (id),
    name        text not null default '',
    text        text not null default '',
    status      text not null default 'open',
    canceled_at timestamptz
);
