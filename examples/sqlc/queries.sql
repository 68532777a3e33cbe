-- name: CreateTerrain :one
INSERT INTO terrains (name, elevation, snow) VALUES ($1, $2, $3) RETURNING id;

-- name: GetTerrain :one
SELECT * FROM terrains WHERE id = $1;

-- name: SetSnow :exec
UPDATE terrains SET snow = $2 WHERE id = $1;

-- name: TerrainsAt :many
-- Terrains with a value at a point, which PostGIS looks up.
SELECT id, name, ST_Value(elevation, ST_SetSRID(ST_MakePoint(@x::float8, @y::float8), ST_SRID(elevation)))::float8 AS elevation
FROM terrains
WHERE ST_Value(elevation, ST_SetSRID(ST_MakePoint(@x, @y), ST_SRID(elevation))) IS NOT NULL
ORDER BY id;
