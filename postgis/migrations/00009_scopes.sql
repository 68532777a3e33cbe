-- What tokens may do at most.

ALTER TABLE tokens ADD COLUMN scope text NOT NULL DEFAULT ''; -- a role; empty: all that the user may
