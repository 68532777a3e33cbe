-- +goose Up
-- Jobs that have ended are removed some days later.

CREATE INDEX jobs_ended ON jobs (ended) WHERE ended IS NOT NULL;
