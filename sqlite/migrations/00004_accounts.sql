-- +goose Up
-- Users and their tokens, the files that are being sent, and what a parse is
-- still to fetch.

CREATE TABLE users (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    name     TEXT    NOT NULL,
    name_key TEXT    NOT NULL UNIQUE, -- the name without case
    role     TEXT    NOT NULL,
    created  INTEGER NOT NULL
);

CREATE TABLE tokens (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name    TEXT    NOT NULL,
    hash    TEXT    NOT NULL UNIQUE, -- of the secret, which is kept nowhere
    created INTEGER NOT NULL,
    expires INTEGER, -- NULL: never
    used    INTEGER  -- NULL: never
);
CREATE INDEX tokens_user ON tokens (user_id, id);

CREATE TABLE uploads (
    id        TEXT    NOT NULL PRIMARY KEY,
    owner     TEXT    NOT NULL,
    source_id TEXT    NOT NULL, -- the source that the bytes go to
    name      TEXT    NOT NULL,
    size      INTEGER NOT NULL,
    metadata  TEXT    NOT NULL,
    created   INTEGER NOT NULL,
    expires   INTEGER
);

ALTER TABLE parses ADD COLUMN fetch_from TEXT NOT NULL DEFAULT ''; -- empty: the source is kept
