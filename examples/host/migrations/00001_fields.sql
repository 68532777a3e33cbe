-- +goose Up
CREATE TABLE people (
    name       text  PRIMARY KEY,
    token_hash bytea NOT NULL
);

CREATE TABLE fields (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name     text   NOT NULL,
    owner    text   NOT NULL REFERENCES people (name),
    border   geometry(Polygon, 4326) NOT NULL,
    layer_id bigint NOT NULL UNIQUE REFERENCES rasterbase.layers (id)
);

CREATE TABLE reports (
    field_id bigint NOT NULL REFERENCES fields (id) ON DELETE CASCADE,
    class    float8 NOT NULL,
    hectares float8 NOT NULL,
    PRIMARY KEY (field_id, class)
);

-- +goose Down
DROP TABLE reports, fields, people;
