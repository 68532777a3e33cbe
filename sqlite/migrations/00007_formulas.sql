-- +goose Up
-- Layers that are formulas over bands of other layers, and the files that people
-- have made of layers.

ALTER TABLE layers ADD COLUMN formula TEXT; -- NULL: the layer is parsed from a source
ALTER TABLE layers ADD COLUMN formula_grid TEXT NOT NULL DEFAULT ''; -- the input whose pixels count
ALTER TABLE layers ADD COLUMN formula_datatype TEXT NOT NULL DEFAULT ''; -- that of the settings, of formulas only

CREATE TABLE layer_inputs (
    layer_id INTEGER NOT NULL REFERENCES layers (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name     TEXT    NOT NULL,
    input_id INTEGER NOT NULL REFERENCES layers (id), -- which cannot be deleted meanwhile
    band     INTEGER NOT NULL, -- from 0
    PRIMARY KEY (layer_id, position)
);
CREATE INDEX layer_inputs_input ON layer_inputs (input_id);

CREATE TABLE exports (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    owner     TEXT    NOT NULL,
    request   BLOB    NOT NULL, -- JSON, as it was given
    layers    TEXT    NOT NULL, -- JSON list of ids; some may be gone
    status    TEXT    NOT NULL,
    error     TEXT    NOT NULL,
    planned   INTEGER NOT NULL,
    done      INTEGER NOT NULL,
    file_name TEXT    NOT NULL,
    size      INTEGER NOT NULL,
    source_id TEXT    NOT NULL, -- empty: there is no file yet
    created   INTEGER NOT NULL,
    started   INTEGER,
    ended     INTEGER,
    expires   INTEGER
);
CREATE INDEX exports_owner ON exports (owner, id);
