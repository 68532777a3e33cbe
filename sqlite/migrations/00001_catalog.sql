-- +goose Up
-- Times are microseconds since 1970 in UTC; NULL is the zero time.
-- AUTOINCREMENT keeps the id of a deleted row from being given again.

CREATE TABLE legends (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    title     TEXT    NOT NULL,
    title_key TEXT    NOT NULL UNIQUE, -- the title without case
    updated   INTEGER NOT NULL
);

CREATE TABLE semantics (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    keyword     TEXT NOT NULL
);

CREATE TABLE legend_entries (
    legend_id    INTEGER NOT NULL REFERENCES legends (id) ON DELETE CASCADE,
    position     INTEGER NOT NULL,
    semantics_id INTEGER NOT NULL REFERENCES semantics (id),
    expression   TEXT    NOT NULL,
    color        INTEGER NOT NULL, -- red, green, blue, alpha from the high byte down
    code         TEXT    NOT NULL,
    PRIMARY KEY (legend_id, position)
);
CREATE INDEX legend_entries_semantics ON legend_entries (semantics_id);

CREATE TABLE layers (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    slug            TEXT    NOT NULL UNIQUE,
    name            TEXT    NOT NULL,
    description     TEXT    NOT NULL,
    attribution     TEXT    NOT NULL,
    license         TEXT    NOT NULL,
    source_id       TEXT    NOT NULL,
    source_name     TEXT    NOT NULL,
    source_origin   TEXT    NOT NULL,
    source_size     INTEGER NOT NULL,
    source_checksum TEXT    NOT NULL,
    settings        TEXT    NOT NULL, -- JSON
    legend_id       INTEGER REFERENCES legends (id) ON DELETE SET NULL,
    visibility      TEXT    NOT NULL,
    published       INTEGER REFERENCES revisions (id) ON DELETE SET NULL,
    created         INTEGER NOT NULL,
    updated         INTEGER NOT NULL,
    file_key        TEXT    NOT NULL, -- source_name without .zip
    search_key      TEXT    NOT NULL  -- name and source_name without case
);
CREATE INDEX layers_file ON layers (file_key);
CREATE INDEX layers_legend ON layers (legend_id);
CREATE INDEX layers_published ON layers (published);

CREATE TABLE revisions (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    layer_id     INTEGER NOT NULL REFERENCES layers (id) ON DELETE CASCADE,
    state        TEXT    NOT NULL,
    datatype     TEXT    NOT NULL,
    created      INTEGER NOT NULL,
    published_at INTEGER,
    document     TEXT    NOT NULL -- JSON of everything else
);
CREATE INDEX revisions_layer ON revisions (layer_id);

CREATE TABLE summaries (
    revision_id INTEGER NOT NULL REFERENCES revisions (id) ON DELETE CASCADE,
    kind        INTEGER NOT NULL,
    z           INTEGER NOT NULL,
    depth       INTEGER NOT NULL,
    y           INTEGER NOT NULL,
    x           INTEGER NOT NULL,
    page        BLOB    NOT NULL, -- the binary form of store.SummaryPage
    PRIMARY KEY (revision_id, kind, z, depth, y, x)
);

CREATE TABLE custom_crs (
    srid INTEGER PRIMARY KEY,
    wkt  TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL
);

CREATE TABLE parses (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    layer_id    INTEGER NOT NULL REFERENCES layers (id) ON DELETE CASCADE,
    revision_id INTEGER NOT NULL,
    status      TEXT    NOT NULL,
    error       TEXT    NOT NULL,
    planned     INTEGER NOT NULL,
    done        INTEGER NOT NULL,
    created     INTEGER NOT NULL,
    started     INTEGER,
    ended       INTEGER
);
CREATE INDEX parses_layer ON parses (layer_id, id);

CREATE TABLE parse_log (
    parse_id INTEGER NOT NULL REFERENCES parses (id) ON DELETE CASCADE,
    seq      INTEGER NOT NULL,
    time     INTEGER NOT NULL,
    text     TEXT    NOT NULL,
    PRIMARY KEY (parse_id, seq)
) WITHOUT ROWID;

CREATE TABLE jobs (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    kind         TEXT    NOT NULL,
    args         BLOB    NOT NULL,
    unique_key   TEXT    NOT NULL,
    max_attempts INTEGER NOT NULL,
    state        TEXT    NOT NULL,
    attempt      INTEGER NOT NULL,
    error        TEXT    NOT NULL,
    not_before   INTEGER NOT NULL,
    created      INTEGER NOT NULL,
    ended        INTEGER,
    lease        TEXT    NOT NULL, -- whose the running job is; empty: nobody's
    lease_until  INTEGER NOT NULL,
    cancel       INTEGER NOT NULL  -- 1: the worker is asked to stop
);
CREATE UNIQUE INDEX jobs_unique ON jobs (unique_key)
    WHERE unique_key <> '' AND state IN ('waiting', 'running');
CREATE INDEX jobs_waiting ON jobs (not_before) WHERE state = 'waiting';
CREATE INDEX jobs_running ON jobs (lease_until) WHERE state = 'running';
CREATE INDEX jobs_state ON jobs (state, id);
