-- The transactions that changed what tiles are drawn from: layers, published
-- revisions, legends, semantics, colormaps. Processes that remember these look for
-- rows that they did not see before, and listen for word of them. There are
-- triggers, so that statements by hand count too. A row for each transaction, and
-- not a counter, keeps two transactions at once out of each other's way.

CREATE TABLE catalog_changes (
    xid xid8 PRIMARY KEY
);

-- Whoever may write a table may do so although they may not write this one.
CREATE FUNCTION note_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    EXECUTE format('INSERT INTO %I.catalog_changes (xid) VALUES (pg_current_xact_id()) ON CONFLICT DO NOTHING', TG_TABLE_SCHEMA);
    PERFORM pg_notify(left('rasterbase_' || TG_TABLE_SCHEMA, 63), '');
    RETURN NULL;
END
$body$;
REVOKE ALL ON FUNCTION note_change() FROM PUBLIC; -- nobody else puts it on a table of theirs

DO $body$
DECLARE changed text;
BEGIN
    FOREACH changed IN ARRAY ARRAY['layers', 'legends', 'legend_entries', 'entries', 'semantics', 'colormaps'] LOOP
        EXECUTE format('CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %I
            FOR EACH STATEMENT EXECUTE FUNCTION note_change()', changed);
    END LOOP;
END
$body$;
-- Revisions that are being built are seen by nobody.
CREATE TRIGGER note_change AFTER UPDATE OF state OR DELETE OR TRUNCATE ON revisions
    FOR EACH STATEMENT EXECUTE FUNCTION note_change();
