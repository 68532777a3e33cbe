-- +goose Up
-- Passwords of users, and the browsers that are signed in.

ALTER TABLE users ADD COLUMN password TEXT NOT NULL DEFAULT ''; -- its hash; empty: none

CREATE TABLE sessions (
    hash    TEXT    NOT NULL PRIMARY KEY, -- of the secret, which is kept nowhere
    data    BLOB    NOT NULL,
    expires INTEGER NOT NULL
);
CREATE INDEX sessions_expires ON sessions (expires);
