-- +goose Up
-- What is done of a parse that runs, and the jobs that are parts of one thing.

CREATE TABLE parse_chunks (
    parse_id INTEGER NOT NULL REFERENCES parses (id) ON DELETE CASCADE,
    stage    INTEGER NOT NULL,
    number   INTEGER NOT NULL,
    data     BLOB    NOT NULL, -- what the end of the stage needs of the chunk
    PRIMARY KEY (parse_id, stage, number)
);

ALTER TABLE jobs ADD COLUMN group_key TEXT NOT NULL DEFAULT '';
UPDATE jobs SET group_key = 'parse:' || json_extract(CAST(args AS TEXT), '$.parse')
    WHERE kind = 'parse' AND json_extract(CAST(args AS TEXT), '$.parse') IS NOT NULL;
CREATE INDEX jobs_group ON jobs (group_key, state) WHERE group_key <> '';
