-- An operator may take messages and answer no questions about them, or the other way round:
-- how each process finds it, for people. closed, open or half_open, as `breaker`, which is that
-- of messages. Written by sender.
alter table connector_process
    add column look_ups text not null default 'closed',
    add column polls text not null default 'closed';
