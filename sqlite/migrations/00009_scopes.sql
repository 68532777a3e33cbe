-- +goose Up
-- What tokens may do at most.

ALTER TABLE tokens ADD COLUMN scope TEXT NOT NULL DEFAULT ''; -- a role; empty: all that the user may
