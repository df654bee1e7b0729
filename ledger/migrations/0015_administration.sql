-- Keys that end by themselves, and price lists that are closed once written.

alter table api_key
    -- From then on it opens nothing. Set when another key takes its place; null: it has no end.
    add column expires_at timestamptz;
create index api_key_of_account on api_key (account_id, id);

-- Which accounts may use a line. (Balances change without touching it.)
create index account_of_line on account using gin (lines);

-- A version is written as a whole: first its prices, then, in the same transaction, since when
-- it holds. From then on neither changes: chunks name the version that priced them.
create function refuse_further_prices() returns trigger language plpgsql as $$
begin
    if exists (select from tariff_version where version = new.version) then
        raise exception 'version % of the tariff is closed: make another', new.version;
    end if;
    return new;
end $$;
create trigger tariff_is_closed before insert on tariff
    for each row execute function refuse_further_prices();
create trigger tariff_is_immutable before update or delete or truncate on tariff
    for each statement execute function refuse_change();
create trigger tariff_version_is_immutable before update or delete or truncate on tariff_version
    for each statement execute function refuse_change();
