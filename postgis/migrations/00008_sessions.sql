-- Passwords of users, and the browsers that are signed in.

ALTER TABLE users ADD COLUMN password text NOT NULL DEFAULT ''; -- its hash; empty: none

CREATE TABLE sessions (
    hash    text COLLATE "C" PRIMARY KEY, -- of the secret, which is kept nowhere
    data    bytea NOT NULL,
    expires timestamptz NOT NULL
);
CREATE INDEX sessions_expires ON sessions (expires);
