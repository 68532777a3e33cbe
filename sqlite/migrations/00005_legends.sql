-- +goose Up
-- Entries are rows of their own, which can stand in several legends; legends can
-- have a gradient; people keep colormaps.

CREATE TABLE entries (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    semantics_id INTEGER NOT NULL REFERENCES semantics (id),
    expression   TEXT    NOT NULL,
    color        INTEGER NOT NULL -- red, green, blue, alpha from the high byte down
);
CREATE INDEX entries_semantics ON entries (semantics_id);

-- Each entry stood in one legend.
INSERT INTO entries (id, semantics_id, expression, color)
    SELECT row_number() OVER (ORDER BY legend_id, position), semantics_id, expression, color FROM legend_entries;

CREATE TABLE places (
    legend_id INTEGER NOT NULL REFERENCES legends (id) ON DELETE CASCADE,
    position  INTEGER NOT NULL,
    entry_id  INTEGER NOT NULL REFERENCES entries (id),
    code      TEXT    NOT NULL,
    PRIMARY KEY (legend_id, position),
    UNIQUE (entry_id, legend_id)
);
INSERT INTO places (legend_id, position, entry_id, code)
    SELECT legend_id, position, row_number() OVER (ORDER BY legend_id, position), code FROM legend_entries;
DROP TABLE legend_entries;
ALTER TABLE places RENAME TO legend_entries;

ALTER TABLE legends ADD COLUMN gradient TEXT; -- JSON; NULL: the legend has entries

CREATE TABLE colormaps (
    owner    TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    name_key TEXT    NOT NULL, -- the name without case
    json     BLOB    NOT NULL, -- as it was given
    updated  INTEGER NOT NULL,
    PRIMARY KEY (owner, name_key)
);
