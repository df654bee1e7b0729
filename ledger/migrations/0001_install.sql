-- What this installation is. Stored once, compared at every start: records find their
-- partition by this count and this hash, and a topic made anew is not the same topic.
create table install (
    only_row   boolean primary key default true check (only_row),
    generation integer not null check (generation > 0),
    partitions integer not null check (partitions > 0),
    hash_name  text not null,
    created_at timestamptz not null default clock_timestamp()
);

create table topic (
    name       text primary key,
    generation integer not null,
    -- Kafka's own id of the topic.
    topic_id   text not null
);
