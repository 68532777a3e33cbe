-- +goose Up
-- How often anything was changed that tiles are drawn from: layers, published
-- revisions, legends, semantics, colormaps. Other processes look whether it moved.

CREATE TABLE generation (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    n  INTEGER NOT NULL
);
INSERT INTO generation (id, n) VALUES (1, 0);
