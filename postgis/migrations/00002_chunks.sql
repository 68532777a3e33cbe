-- What is done of a parse that runs, and the jobs that are parts of one thing.

CREATE TABLE parse_chunks (
    parse_id bigint  NOT NULL REFERENCES parses (id) ON DELETE CASCADE,
    stage    integer NOT NULL,
    number   integer NOT NULL,
    data     bytea   NOT NULL, -- what the end of the stage needs of the chunk
    PRIMARY KEY (parse_id, stage, number)
);

ALTER TABLE jobs ADD COLUMN group_key text COLLATE "C" NOT NULL DEFAULT '';
UPDATE jobs SET group_key = 'parse:' || (convert_from(args, 'UTF8')::jsonb ->> 'parse')
    WHERE kind = 'parse' AND convert_from(args, 'UTF8')::jsonb ->> 'parse' IS NOT NULL;
CREATE INDEX jobs_group ON jobs (group_key, state) WHERE group_key <> '';
