-- Value counts and statistics by SQL: valuecount and statistics, at the end. Those
-- before them are their parts, and are called with the search path and the settings of
-- these only.

-- Names are found in our schema and those of the extensions, whatever the caller's
-- search path is, and before temporary tables of the caller's.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);

-- What there is to count of a layer: the pixels of the published revision, those of
-- the max zoom where there are no base tiles.
CREATE FUNCTION counted_level(of_layer bigint, of_band integer,
    OUT tiles text,               -- the table; NULL: no pixel is valid
    OUT place integer,            -- of the band in the tiles, from 1
    OUT few boolean,              -- whole numbers, and so few that ST_ValueCount is quick
    OUT facts jsonb,              -- what is known of the whole band
    OUT counts jsonb,             -- its pixels by value; NULL: not kept
    OUT srid integer,
    OUT grid double precision[],  -- x = grid[1] + column*grid[2] + row*grid[3], y = grid[4] + column*grid[5] + row*grid[6]
    OUT width bigint,
    OUT tile_size bigint,
    OUT part bigint[],            -- the columns and rows with pixels: from, from, to below, to below
    OUT bounds double precision[] -- west, south, east, north
) LANGUAGE plpgsql STABLE PARALLEL SAFE AS $body$
DECLARE
    the record;
    side double precision;
BEGIN
    SELECT l.slug, l.formula, l.published, d.*, jsonb_array_length(d.bands) AS band_number,
        (d.crs->>'srid')::integer AS crs_srid, coalesce(d.no_base, false) AS of_zoom,
        g.width AS grid_width, g.height, g.origin_x, g.origin_y, g.scale_x, g.scale_y, g.skew_x, g.skew_y
    INTO the
    FROM layers l LEFT JOIN revisions r ON r.id = l.published
    LEFT JOIN LATERAL jsonb_to_record(r.document) AS d (crs jsonb, grid jsonb, tile_size bigint, no_base boolean, max_zoom integer,
        bands jsonb, bounds jsonb, base_tiles bigint, pyramid_tiles bigint) ON true
    LEFT JOIN LATERAL jsonb_to_record(d.grid) AS g (width bigint, height bigint, origin_x double precision, origin_y double precision,
        scale_x double precision, scale_y double precision, skew_x double precision, skew_y double precision) ON true
    WHERE l.id = of_layer;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no layer %', of_layer
            USING ERRCODE = 'no_data_found', HINT = format('SELECT id, slug FROM %I.layers lists them', current_schema());
    ELSIF the.formula IS NOT NULL THEN
        RAISE EXCEPTION 'layer % (%) is a formula and has no tiles in the database', of_layer, the.slug
            USING ERRCODE = 'feature_not_supported', HINT = 'count the layers that it reads, or count it with rasterbase count or over HTTP';
    ELSIF the.published IS NULL THEN
        RAISE EXCEPTION 'layer % (%) is not published yet', of_layer, the.slug
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'count it when its parse has finished';
    ELSIF of_band IS NULL OR of_band < 1 OR of_band > the.band_number THEN
        RAISE EXCEPTION 'layer % (%) has no band %', of_layer, the.slug, coalesce(of_band::text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value', HINT = format('its bands count from 1 to %s', the.band_number);
    END IF;

    tiles := format('tiles_%s_%s_%s', of_layer, the.published, CASE WHEN the.of_zoom THEN 'z' || the.max_zoom ELSE 'base' END);
    place := of_band;
    IF the.band_number > 4 THEN -- a set for each band
        place := 1;
        tiles := tiles || CASE WHEN of_band > 1 THEN '_s' || of_band - 1 ELSE '' END;
    END IF;
    tiles := format('%I.%I', current_schema(), tiles);
    IF to_regclass(tiles) IS NULL THEN
        IF NOT the.of_zoom AND the.base_tiles > 0 OR the.of_zoom AND the.pyramid_tiles > 0 THEN
            RAISE EXCEPTION 'layer % (%) was parsed again meanwhile', of_layer, the.slug
                USING ERRCODE = 'serialization_failure', HINT = 'run the query again';
        END IF;
        tiles := NULL;
    END IF;

    facts := the.bands->(of_band - 1);
    IF (SELECT sum((c->>'count')::bigint) FROM jsonb_array_elements(facts->'histogram'->'values') AS c) = (facts->>'count')::bigint THEN
        counts := facts->'histogram'->'values';
    END IF;
    few := facts->>'pixel_type' !~ '^float' AND coalesce(jsonb_array_length(counts) <= 256, false);

    srid := the.crs_srid;
    grid := ARRAY[the.origin_x, the.scale_x, the.skew_x, the.origin_y, the.skew_y, the.scale_y];
    width := the.grid_width;
    tile_size := the.tile_size;
    part := ARRAY[0, 0, width, the.height];
    bounds := ARRAY[the.bounds->>0, the.bounds->>1, the.bounds->>2, the.bounds->>3]::double precision[];
    IF the.of_zoom THEN -- the grid is a part of the max zoom's
        srid := 3857;
        width := tile_size << the.max_zoom;
        side := 2 * 20037508.342789244 / width;
        part := ARRAY[round((the.origin_x + 20037508.342789244) / side), round((20037508.342789244 - the.origin_y) / side)];
        part := part || ARRAY[part[1] + the.grid_width, part[2] + the.height];
        grid := ARRAY[-20037508.342789244, side, 0, 20037508.342789244, 0, -side];
    END IF;
END
$body$;

-- The width of the whole world in a CRS whose x goes round it; 0 in others.
CREATE FUNCTION world_width(of_srid integer) RETURNS double precision
    LANGUAGE sql STABLE PARALLEL SAFE AS $body$
    SELECT CASE WHEN of_srid = 3857 THEN 2 * 20037508.342789244::double precision
        WHEN EXISTS (SELECT FROM spatial_ref_sys AS s WHERE s.srid = of_srid AND s.srtext LIKE 'GEOG%PRIMEM["Greenwich"%UNIT["degree"%') THEN 360
        ELSE 0 END
$body$;

-- The geometry of a caller as a multipolygon with an srid, or an error.
CREATE FUNCTION counted_zone(geom geometry, level_srid integer) RETURNS geometry
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $body$
DECLARE
    zone geometry;
    other text;
BEGIN
    SELECT GeometryType(d.geom) INTO other FROM ST_Dump(geom) AS d WHERE GeometryType(d.geom) <> 'POLYGON' LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'a % has no area to count in', other USING ERRCODE = 'invalid_parameter_value',
            HINT = 'count in polygons and multipolygons: ST_Buffer makes them of points and lines, ST_CurveToLine of curves. ST_Value gives the value at a point';
    END IF;
    zone := ST_Force2D(ST_Multi(ST_CollectionExtract(geom, 3)));
    IF ST_SRID(zone) = 0 THEN
        zone := ST_SetSRID(zone, 4326);
    END IF;
    IF EXISTS (SELECT FROM ST_DumpPoints(zone) AS p WHERE NOT (abs(ST_X(p.geom)) < 1e300 AND abs(ST_Y(p.geom)) < 1e300)) THEN
        RAISE EXCEPTION 'a coordinate of the polygon is no finite number' USING ERRCODE = 'invalid_parameter_value';
    ELSIF ST_SRID(zone) <> level_srid AND world_width(ST_SRID(zone)) = 360 AND greatest(ST_YMax(zone), -ST_YMin(zone)) > 90 + 1e-6 THEN
        RAISE EXCEPTION 'a latitude of the polygon is beyond the pole' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'coordinates are longitude, latitude in srid ' || ST_SRID(zone) || '; ST_SetSRID gives another srid';
    END IF;
    RETURN zone;
END
$body$;

-- The place at a fraction of the way.
CREATE FUNCTION part_way(s double precision, e double precision, f double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $body$ SELECT CASE f WHEN 0 THEN s WHEN 1 THEN e ELSE s + (e - s) * f END $body$;

-- x, or whole turns round the world further where that is nearer to another one.
CREATE FUNCTION nearest_turn(x double precision, other double precision, turn double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $body$ SELECT CASE WHEN turn > 0 THEN x - turn * round((x - other) / turn) ELSE x END $body$;

-- A place in another CRS.
CREATE FUNCTION moved_place(sx double precision, sy double precision, from_srid integer, to_srid integer)
    RETURNS TABLE (x double precision, y double precision) LANGUAGE sql STABLE PARALLEL SAFE ROWS 1 AS $body$
    SELECT ST_X(m.p), ST_Y(m.p) FROM (SELECT ST_Transform(ST_SetSRID(ST_MakePoint(sx, sy), from_srid), to_srid) AS p OFFSET 0) AS m
$body$;

-- The box around a level, with a margin, in the CRS in which the world is so wide: degrees
-- or EPSG:3857. From low x, low y to high x, high y; without an end in other CRSs.
CREATE FUNCTION level_reach(bounds double precision[], turn double precision) RETURNS double precision[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $body$
DECLARE
    -- Bounds end where web mercator does; a level may go on to the pole.
    south double precision := CASE WHEN bounds[2] < -85 THEN -90 ELSE greatest(bounds[2] - (bounds[4] - bounds[2]) / 8, -90) END + 1e-8;
    north double precision := CASE WHEN bounds[4] > 85 THEN 90 ELSE least(bounds[4] + (bounds[4] - bounds[2]) / 8, 90) END - 1e-8;
    west double precision := bounds[1];
    east double precision := bounds[3] + CASE WHEN bounds[3] < bounds[1] THEN 360 ELSE 0 END;
    margin CONSTANT double precision := (east - west) / 8;
    metres CONSTANT double precision := turn / 360;
BEGIN
    IF turn = 0 OR bounds[2] >= bounds[4] THEN
        RETURN '{-Infinity,-Infinity,Infinity,Infinity}';
    END IF;
    IF east - west + 2 * margin < 360 THEN
        west := west - margin;
        east := east + margin;
    ELSE
        west := -180;
        east := 180;
    END IF;
    IF turn = 360 THEN
        RETURN ARRAY[west, south, east, north];
    END IF;
    RETURN ARRAY[west * metres, degrees(ln(tan(radians(45 + south / 2)))) * metres, east * metres, degrees(ln(tan(radians(45 + north / 2)))) * metres];
END
$body$;

-- The edges of a multipolygon, each with the number of its polygon and ring, and n, its
-- place in the ring.
CREATE FUNCTION ring_edges(zone geometry) RETURNS TABLE (area integer, ring integer, n integer,
        x1 double precision, y1 double precision, x2 double precision, y2 double precision)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 100 AS $body$
    SELECT area, ring, n, x, y, next_x, next_y FROM (
        SELECT area, ring, n, x, y, lead(x) OVER along AS next_x, lead(y) OVER along AS next_y
        FROM (SELECT p.path[1] AS area, p.path[2] AS ring, p.path[3] AS n, ST_X(p.geom) AS x, ST_Y(p.geom) AS y FROM ST_DumpPoints(zone) AS p) AS v
        WINDOW along AS (PARTITION BY area, ring ORDER BY n)) AS e
    WHERE (x, y) <> (next_x, next_y)
$body$;

-- The edges of a multipolygon in its own CRS. Of one whose x goes round the world the
-- part in a box around a level is taken, also where that lies whole turns further: the
-- rest need have no place in the level's CRS. What is outside of the box is moved to its
-- border, which leaves every place in the box on the same side of every ring.
--
-- n is the place of the edge in its ring, and from f and size is that of the piece in
-- its edge. Edges go the same way in both areas that share one, so that these share all
-- places on it; back says that the ring goes the other way.
CREATE FUNCTION zone_pieces(zone geometry, turn double precision, reach double precision[], first_turn integer, last_turn integer)
    RETURNS TABLE (area integer, ring integer, n integer, back boolean, f double precision, size double precision,
        sx double precision, sy double precision, ex double precision, ey double precision)
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $body$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH edges AS (
        SELECT area * 16 + k + 4 AS area, ring, n, (x2, y2) < (x1, y1) AS back, x1 + k * turn AS x1, y1, x2 + k * turn AS x2, y2
        FROM ring_edges(zone) CROSS JOIN generate_series(first_turn, last_turn) AS k
    ), directed AS (
        SELECT area, ring, n, back, x1 AS sx, y1 AS sy, x2 AS ex, y2 AS ey FROM edges WHERE NOT back
        UNION ALL SELECT area, ring, n, back, x2, y2, x1, y1 FROM edges WHERE back
    ), pieces AS (
        SELECT area, ring, n, back, at[i] AS f, at[i + 1] - at[i] AS size,
            least(greatest(part_way(sx, ex, at[i]), reach[1]), reach[3]) AS sx, least(greatest(part_way(sy, ey, at[i]), reach[2]), reach[4]) AS sy,
            least(greatest(part_way(sx, ex, at[i + 1]), reach[1]), reach[3]) AS ex, least(greatest(part_way(sy, ey, at[i + 1]), reach[2]), reach[4]) AS ey
        FROM directed CROSS JOIN LATERAL (SELECT CASE
            WHEN least(sx, ex) >= reach[1] AND greatest(sx, ex) <= reach[3] AND least(sy, ey) >= reach[2] AND greatest(sy, ey) <= reach[4]
                THEN '{0,1}'::double precision[]
            ELSE ARRAY(SELECT DISTINCT v FROM unnest(ARRAY[0, 1, (reach[1] - sx) / nullif(ex - sx, 0), (reach[3] - sx) / nullif(ex - sx, 0),
                (reach[2] - sy) / nullif(ey - sy, 0), (reach[4] - sy) / nullif(ey - sy, 0)]) AS v WHERE v BETWEEN 0 AND 1 ORDER BY v)
            END AS at OFFSET 0) AS cut
        CROSS JOIN LATERAL generate_series(1, cardinality(at) - 1) AS i
    )
    SELECT * FROM pieces WHERE (sx, sy) <> (ex, ey);
END
$body$;

-- How far from straight, in pixels of a level, a line across the box of a multipolygon
-- is at most: from how the lines of a mesh of five by five places in the box bend there.
CREATE FUNCTION zone_bend(zone geometry, to_srid integer, grid double precision[]) RETURNS double precision
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $body$
DECLARE
    mesh geometry := ST_Transform(ST_SetSRID(ST_MakeLine(ARRAY(
        SELECT ST_MakePoint(ST_XMin(zone) + i * (ST_XMax(zone) - ST_XMin(zone)) / 4, ST_YMin(zone) + j * (ST_YMax(zone) - ST_YMin(zone)) / 4)
        FROM generate_series(0, 4) AS j, generate_series(0, 4) AS i ORDER BY j, i)), ST_SRID(zone)), to_srid);
BEGIN
    RETURN (WITH places AS (
        SELECT p.path[1] AS n, ST_X(p.geom) * grid[6] - ST_Y(p.geom) * grid[3] AS x, ST_Y(p.geom) * grid[2] - ST_X(p.geom) * grid[5] AS y FROM ST_DumpPoints(mesh) AS p
    ), bends AS (
        SELECT (n - 1) % 5 AS i,
            sqrt((lag(x) OVER across - 2 * x + lead(x) OVER across) ^ 2 + (lag(y) OVER across - 2 * y + lead(y) OVER across) ^ 2) AS across,
            sqrt((lag(x, 5) OVER across - 2 * x + lead(x, 5) OVER across) ^ 2 + (lag(y, 5) OVER across - 2 * y + lead(y, 5) OVER across) ^ 2) AS down,
            sqrt((x - lead(x) OVER across - lead(x, 5) OVER across + lead(x, 6) OVER across) ^ 2
                + (y - lead(y) OVER across - lead(y, 5) OVER across + lead(y, 6) OVER across) ^ 2) AS twist
        FROM places WINDOW across AS (ORDER BY n)
    ) SELECT (2 * max(across) FILTER (WHERE i BETWEEN 1 AND 3) + 2 * max(down) + 4 * max(twist) FILTER (WHERE i < 4))
        / abs(grid[2] * grid[6] - grid[3] * grid[5]) FROM bends);
END
$body$;

-- The edges of a multipolygon in the pixels of a level, from the lower y to the higher
-- one, without those that are level. An edge is straight in the polygon's own CRS, and
-- divided until it is within 0.01 pixel.
CREATE FUNCTION zone_edges(zone geometry, to_srid integer, grid double precision[], part bigint[], bounds double precision[])
    RETURNS TABLE (area integer, x1 double precision, y1 double precision, x2 double precision, y2 double precision)
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $body$
#variable_conflict use_column
DECLARE
    from_srid CONSTANT integer := ST_SRID(zone);
    turn CONSTANT double precision := world_width(to_srid);
    det CONSTANT double precision := grid[2] * grid[6] - grid[3] * grid[5];
    from_turn double precision := 0;
    reach double precision[] := '{-Infinity,-Infinity,Infinity,Infinity}';
    first_turn integer := 0;
    last_turn integer := 0;
    vertices boolean; -- they tell all
    moved geometry := zone;
    bend double precision;
BEGIN
    IF from_srid = to_srid THEN
        vertices := true;
    ELSE
        from_turn := world_width(from_srid);
        reach := level_reach(bounds, from_turn);
        IF from_turn > 0 THEN
            first_turn := greatest(ceil((reach[1] - ST_XMax(zone)) / from_turn), -4);
            last_turn := least(floor((reach[3] - ST_XMin(zone)) / from_turn), 4);
        END IF;
        IF first_turn > last_turn OR ST_YMin(zone) > reach[4] OR ST_YMax(zone) < reach[2] THEN
            RETURN;
        END IF;
        vertices := first_turn = 0 AND last_turn = 0
            AND ST_XMin(zone) >= reach[1] AND ST_YMin(zone) >= reach[2] AND ST_XMax(zone) <= reach[3] AND ST_YMax(zone) <= reach[4];
        IF vertices THEN
            bend := zone_bend(zone, to_srid, grid);
            -- What is bent evenly is n*n times as straight in n parts.
            vertices := bend <= 0.005 OR bend < 100 AND bend * (SELECT max(greatest(
                    abs(x2 - x1) / nullif(ST_XMax(zone) - ST_XMin(zone), 0), abs(y2 - y1) / nullif(ST_YMax(zone) - ST_YMin(zone), 0)))
                FROM ring_edges(zone)) ^ 2 <= 0.005;
            IF vertices THEN
                moved := ST_Transform(zone, to_srid);
            END IF;
        END IF;
    END IF;
    -- Whole turns further it is not on the level.
    IF vertices AND (turn = 0 OR turn <> 360 AND from_srid = to_srid
        OR ST_XMin(moved) + turn > grid[1] + greatest(part[1] * grid[2], part[3] * grid[2]) + greatest(part[2] * grid[3], part[4] * grid[3])
        AND ST_XMax(moved) - turn < grid[1] + least(part[1] * grid[2], part[3] * grid[2]) + least(part[2] * grid[3], part[4] * grid[3])) THEN
        RETURN QUERY SELECT e.area, CASE WHEN e.y1 < e.y2 THEN e.x1 ELSE e.x2 END, least(e.y1, e.y2), CASE WHEN e.y1 < e.y2 THEN e.x2 ELSE e.x1 END, greatest(e.y1, e.y2)
            FROM (SELECT area, ((x1 - grid[1]) * grid[6] - (y1 - grid[4]) * grid[3]) / det AS x1, ((y1 - grid[4]) * grid[2] - (x1 - grid[1]) * grid[5]) / det AS y1,
                ((x2 - grid[1]) * grid[6] - (y2 - grid[4]) * grid[3]) / det AS x2, ((y2 - grid[4]) * grid[2] - (x2 - grid[1]) * grid[5]) / det AS y2
            FROM ring_edges(moved)) AS e WHERE e.y1 <> e.y2;
        RETURN;
    END IF;
    RETURN QUERY
    WITH RECURSIVE bent AS (
        SELECT area, ring, n, back, f, size, sx, sy, ex, ey, sx AS ax, sy AS ay, ex AS bx, ey AS by, 0 AS depth, CASE WHEN from_srid = to_srid THEN 0 ELSE 1 END AS parts
        FROM zone_pieces(zone, from_turn, reach, first_turn, last_turn)
        UNION ALL
        -- Three places tell how far a part is from straight, and so into how many more it
        -- must be divided. Neighbours find the same.
        SELECT p.area, p.ring, p.n, p.back, p.f + p.size * i / p.parts, p.size / p.parts, s.sx, s.sy, s.ex, s.ey, a.x, a.y, x4, b.y, p.depth + 1,
            CASE WHEN bend <= 0.0075 THEN 0 ELSE least(greatest(ceil(sqrt(bend / 0.005)), 2), 64)::integer END
        FROM bent AS p CROSS JOIN LATERAL generate_series(0, p.parts - 1) AS i
        CROSS JOIN LATERAL (SELECT part_way(p.sx, p.ex, i / p.parts::double precision) AS sx, part_way(p.sy, p.ey, i / p.parts::double precision) AS sy,
            part_way(p.sx, p.ex, (i + 1) / p.parts::double precision) AS ex, part_way(p.sy, p.ey, (i + 1) / p.parts::double precision) AS ey OFFSET 0) AS s
        CROSS JOIN LATERAL moved_place(s.sx, s.sy, from_srid, to_srid) AS a
        CROSS JOIN LATERAL moved_place(part_way(s.sx, s.ex, 0.25), part_way(s.sy, s.ey, 0.25), from_srid, to_srid) AS q1
        CROSS JOIN LATERAL moved_place(part_way(s.sx, s.ex, 0.5), part_way(s.sy, s.ey, 0.5), from_srid, to_srid) AS q2
        CROSS JOIN LATERAL moved_place(part_way(s.sx, s.ex, 0.75), part_way(s.sy, s.ey, 0.75), from_srid, to_srid) AS q3
        CROSS JOIN LATERAL moved_place(s.ex, s.ey, from_srid, to_srid) AS b
        CROSS JOIN LATERAL (SELECT nearest_turn(q1.x, a.x, turn) AS x1 OFFSET 0) AS n1
        CROSS JOIN LATERAL (SELECT nearest_turn(q2.x, x1, turn) AS x2 OFFSET 0) AS n2
        CROSS JOIN LATERAL (SELECT nearest_turn(q3.x, x2, turn) AS x3 OFFSET 0) AS n3
        CROSS JOIN LATERAL (SELECT nearest_turn(b.x, x3, turn) AS x4 OFFSET 0) AS n4
        CROSS JOIN LATERAL (SELECT x4 - a.x AS dx, b.y - a.y AS dy, x1 - a.x AS dx1, q1.y - a.y AS dy1, x2 - a.x AS dx2, q2.y - a.y AS dy2,
            x3 - a.x AS dx3, q3.y - a.y AS dy3 OFFSET 0) AS d
        CROSS JOIN LATERAL (SELECT sqrt((dx * grid[6] - dy * grid[3]) ^ 2 + (dy * grid[2] - dx * grid[5]) ^ 2) AS length OFFSET 0) AS l
        CROSS JOIN LATERAL (SELECT CASE
            -- From a place round something and back.
            WHEN length < 1e-6 * abs(det) THEN sqrt((dx1 * grid[6] - dy1 * grid[3]) ^ 2 + (dy1 * grid[2] - dx1 * grid[5]) ^ 2) / abs(det)
            ELSE greatest(abs(dx * dy1 - dy * dx1), abs(dx * dy2 - dy * dx2), abs(dx * dy3 - dy * dx3)) / length END AS bend OFFSET 0) AS c
        WHERE p.parts > 0 AND p.depth < 12
    ), along AS ( -- in the direction of the rings
        SELECT area, ring, n, f, ax, ay, bx, by FROM bent WHERE NOT back AND (parts = 0 OR depth = 12)
        UNION ALL SELECT area, ring, n, -f, bx, by, ax, ay FROM bent WHERE back AND (parts = 0 OR depth = 12)
    ), turned AS ( -- each edge goes on where the one before it ended
        SELECT area, ay, by, ax + shift AS ax, bx + shift AS bx FROM (
            SELECT *, CASE WHEN turn > 0 AND from_srid <> to_srid
                THEN turn * sum(jump) OVER (PARTITION BY area, ring ORDER BY n, f) ELSE 0 END AS shift
            FROM (SELECT *, coalesce(round((lag(bx) OVER (PARTITION BY area, ring ORDER BY n, f) - ax) / nullif(turn, 0)), 0) AS jump FROM along) AS j
        ) AS s
    ), pixels AS MATERIALIZED (
        SELECT area, ((ax - grid[1]) * grid[6] - (ay - grid[4]) * grid[3]) / det AS x1, ((ay - grid[4]) * grid[2] - (ax - grid[1]) * grid[5]) / det AS y1,
            ((bx - grid[1]) * grid[6] - (by - grid[4]) * grid[3]) / det AS x2, ((by - grid[4]) * grid[2] - (bx - grid[1]) * grid[5]) / det AS y2
        FROM turned
    ), copies AS ( -- and whole turns further, where that is on the level
        SELECT k, k * dx AS dx, k * dy AS dy FROM generate_series(-4, 4) AS k,
            (SELECT turn * grid[6] / det AS dx, -turn * grid[5] / det AS dy, least(min(x1), min(x2)) AS low_x, greatest(max(x1), max(x2)) AS high_x,
                least(min(y1), min(y2)) AS low_y, greatest(max(y1), max(y2)) AS high_y FROM pixels) AS box
        WHERE k = 0 OR (turn = 360 OR turn > 0 AND from_srid <> to_srid) AND low_x + k * dx < part[3] AND high_x + k * dx > part[1]
            AND low_y + k * dy < part[4] AND high_y + k * dy > part[2]
    )
    SELECT area * 16 + k + 4, CASE WHEN y1 < y2 THEN x1 ELSE x2 END + dx, least(y1, y2) + dy, CASE WHEN y1 < y2 THEN x2 ELSE x1 END + dx, greatest(y1, y2) + dy
    FROM pixels CROSS JOIN copies WHERE y1 <> y2;
END
$body$;

-- The tiles that have a pixel whose centre is in a multipolygon, by their key. A centre
-- on a left or upper edge is inside, one on a right or lower edge is not. Of a tile that
-- is not inside as a whole there are the pixels, as runs from and up to below a place
-- that is counted row by row from the upper left. So few rows are promised so that tiles
-- are looked up by their index.
CREATE FUNCTION zone_tiles(zone geometry, srid integer, grid double precision[], width bigint, tile_size bigint, part bigint[], bounds double precision[])
    RETURNS TABLE (rid bigint, froms integer[], ends integer[])
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1 AS $body$
#variable_conflict use_column
DECLARE
    half CONSTANT double precision := 0.5;
BEGIN
    RETURN QUERY
    WITH crossings AS ( -- the first column whose centre is not before the edge
        SELECT area, y, least(greatest(ceil(CASE WHEN y + half = y1 THEN x1
            ELSE least(greatest(x1 + (y + half - y1) * (x2 - x1) / (y2 - y1), least(x1, x2)), greatest(x1, x2)) END - 0.5), part[1]), part[3])::bigint AS x
        FROM zone_edges(zone, srid, grid, part, bounds)
        CROSS JOIN LATERAL generate_series(least(greatest(ceil(y1 - 0.5), part[2]), part[4])::bigint,
            least(greatest(ceil(y2 - 0.5), part[2]), part[4])::bigint - 1) AS y
    ), runs AS (
        SELECT area, y, x AS x1, lead(x) OVER line AS x2, row_number() OVER line AS number
        FROM crossings WINDOW line AS (PARTITION BY area, y ORDER BY x)
    ), inside AS (
        SELECT area, y, x1, x2 FROM runs WHERE number % 2 = 1 AND x1 < x2
    ), united AS ( -- parts of a multipolygon may overlap
        SELECT y, min(x1) AS x1, max(x2) AS x2 FROM (
            SELECT y, x1, x2, sum(fresh) OVER (PARTITION BY y ORDER BY x1, x2, area) AS number FROM (
                SELECT area, y, x1, x2, (x1 > coalesce(max(x2) OVER (PARTITION BY y ORDER BY x1, x2, area
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), -1))::integer AS fresh
                FROM inside) AS f
        ) AS g GROUP BY y, number
    ), cut AS ( -- by the tiles
        SELECT y / tile_size AS tile_y, tile_x, y % tile_size AS line,
            greatest(x1, tile_x * tile_size) - tile_x * tile_size AS x1, least(x2, (tile_x + 1) * tile_size) - tile_x * tile_size AS x2
        FROM united CROSS JOIN LATERAL generate_series(x1 / tile_size, (x2 - 1) / tile_size) AS tile_x
    )
    SELECT tile_y << 32 | tile_x, CASE WHEN NOT whole THEN froms END, CASE WHEN NOT whole THEN ends END FROM (
        SELECT tile_y, tile_x, array_agg((line * tile_width + x1)::integer) AS froms, array_agg((line * tile_width + x2)::integer) AS ends,
            sum(x2 - x1) = (least(part[3], (tile_x + 1) * tile_size) - greatest(part[1], tile_x * tile_size))
                * (least(part[4], (tile_y + 1) * tile_size) - greatest(part[2], tile_y * tile_size)) AS whole
        FROM cut CROSS JOIN LATERAL (SELECT least(tile_size, width - tile_x * tile_size) AS tile_width) AS w GROUP BY tile_y, tile_x) AS t;
END
$body$;

-- The pixels of a raster of one band that are in the runs, one after the other, as a
-- raster as wide as before. The last row is filled up with zeros.
CREATE FUNCTION part_of_tile(tile raster, froms integer[], ends integer[]) RETURNS raster
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $body$
DECLARE
    width CONSTANT integer := ST_Width(tile);
    form CONSTANT bytea := tile::bytea; -- 61 bytes, of which the last four are width and height; type, nodata, pixels
    bytes CONSTANT integer := (length(form) - 62) / (width * ST_Height(tile) + 1); -- of a pixel
    little CONSTANT integer := get_byte(form, 0); -- the order of bytes
    part bytea;
    height integer;
BEGIN
    part := (SELECT string_agg(substring(form FROM 63 + bytes * (r.start + 1) FOR bytes * (r.upto - r.start)), '') FROM unnest(froms, ends) AS r(start, upto));
    height := (length(part) / bytes + width - 1) / width;
    RETURN ST_RastFromWKB(set_byte(set_byte(substring(form FOR 62 + bytes), 60 - little, height % 256), 59 + little, height / 256)
        || part || decode(repeat('00', bytes * height * width - length(part)), 'hex'));
END
$body$;

-- The valid pixels of a tile by value: all, or those of the runs.
CREATE FUNCTION tile_counts(tile raster, place integer, has_validity boolean, few boolean, froms integer[], ends integer[])
    RETURNS TABLE (value double precision, count bigint)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 AS $body$
#variable_conflict use_column
DECLARE
    pixels raster := ST_Band(tile, place); -- once: a tile is compressed
    validity raster := CASE WHEN has_validity THEN ST_Band(tile, ST_NumBands(tile)) END;
    nodata CONSTANT double precision := ST_BandNoDataValue(pixels);
    number integer := ST_Width(pixels) * ST_Height(pixels);
    filled integer := 0; -- zeros at the end
BEGIN
    IF froms IS NOT NULL THEN
        number := (SELECT sum(r.upto - r.start) FROM unnest(froms, ends) AS r(start, upto));
        pixels := part_of_tile(pixels, froms, ends);
        validity := part_of_tile(validity, froms, ends);
        filled := ST_Width(pixels) * ST_Height(pixels) - number;
    END IF;
    IF few AND (NOT has_validity OR ST_ValueCount(validity, 1, false, 0::double precision) = filled) THEN
        RETURN QUERY SELECT v.value, v.count::bigint - z.zeros
            FROM ST_ValueCount(pixels, 1, true) AS v CROSS JOIN LATERAL (SELECT CASE WHEN v.value = 0 THEN filled ELSE 0 END AS zeros) AS z
            WHERE v.count > z.zeros;
    ELSE
        -- PostGIS takes values within 1e-7 of each other, and of nodata, for the same.
        RETURN QUERY SELECT p.value + 0, count(*) -- -0 is 0
            FROM unnest(ST_DumpValues(pixels, 1, false), ST_DumpValues(validity, 1, false)) WITH ORDINALITY AS p(value, validity, i)
            WHERE i <= number AND abs(p.value) < 'Infinity' AND p.value IS DISTINCT FROM nodata AND (NOT has_validity OR p.validity > 0)
            GROUP BY p.value + 0;
    END IF;
END
$body$;

-- valuecount gives the pixels of a layer by value: the valid ones of the source's own
-- pixels whose centre is inside a polygon or multipolygon of any srid, 4326 where it has
-- none. Without a geometry it counts the whole layer; where that is NULL, as it can be in
-- a join, there are no rows. Bands count from 1.
--
-- A revision's table is named: the plan of a view over all of them takes long.
CREATE FUNCTION valuecount(layer bigint, geom geometry DEFAULT 'TIN EMPTY', band integer DEFAULT 1)
    RETURNS TABLE (value double precision, count bigint)
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000 ROWS 20 SET search_path FROM CURRENT SET jit = off SET plan_cache_mode = force_generic_plan AS $body$
DECLARE
    level record;
BEGIN
    IF geom IS NULL THEN
        RETURN;
    END IF;
    SELECT * INTO level FROM counted_level(layer, band);
    IF GeometryType(geom) = 'TIN' AND ST_IsEmpty(geom) THEN
        IF level.counts IS NOT NULL THEN
            RETURN QUERY SELECT (c->>'value')::double precision + 0, (c->>'count')::bigint FROM jsonb_array_elements(level.counts) AS c ORDER BY 1;
        ELSIF level.tiles IS NOT NULL THEN
            RETURN QUERY EXECUTE format('SELECT c.value, sum(c.count)::bigint FROM %s AS t
                CROSS JOIN LATERAL tile_counts(t.rast, $1, t.has_validity, $2, NULL, NULL) AS c GROUP BY 1 ORDER BY 1', level.tiles)
                USING level.place, level.few;
        END IF;
        RETURN;
    END IF;
    geom := counted_zone(geom, level.srid);
    IF level.tiles IS NOT NULL THEN
        RETURN QUERY EXECUTE format('SELECT c.value, sum(c.count)::bigint FROM zone_tiles($3, $4, $5, $6, $7, $8, $9) AS z JOIN %s AS t ON t.rid = z.rid
            CROSS JOIN LATERAL tile_counts(t.rast, $1, t.has_validity, $2, z.froms, z.ends) AS c GROUP BY 1 ORDER BY 1', level.tiles)
            USING level.place, level.few, geom, level.srid, level.grid, level.width, level.tile_size, level.part, level.bounds;
    END IF;
END
$body$;

-- statistics gives those of the same pixels, in one row; std is that of the population.
CREATE FUNCTION statistics(layer bigint, geom geometry DEFAULT 'TIN EMPTY', band integer DEFAULT 1)
    RETURNS TABLE (count bigint, sum double precision, mean double precision, min double precision, max double precision, std double precision)
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000 ROWS 1 SET search_path FROM CURRENT SET jit = off SET plan_cache_mode = force_generic_plan AS $body$
DECLARE
    level record;
BEGIN
    IF geom IS NULL THEN
        RETURN;
    END IF;
    SELECT * INTO level FROM counted_level(layer, band);
    IF GeometryType(geom) = 'TIN' AND ST_IsEmpty(geom) THEN
        RETURN QUERY SELECT f.count, f.mean * f.count, CASE WHEN f.count > 0 THEN f.mean END, CASE WHEN f.count > 0 THEN f.min END,
                CASE WHEN f.count > 0 THEN f.max END, CASE WHEN f.count > 0 THEN f.std END
            FROM jsonb_to_record(level.facts) AS f (count bigint, mean double precision, min double precision, max double precision, std double precision);
        RETURN;
    END IF;
    geom := counted_zone(geom, level.srid);
    IF level.tiles IS NULL THEN
        RETURN QUERY SELECT 0::bigint, 0::double precision, NULL::double precision, NULL::double precision, NULL::double precision, NULL::double precision;
        RETURN;
    END IF;
    RETURN QUERY EXECUTE format('WITH tiles AS MATERIALIZED (
            SELECT s.* FROM zone_tiles($3, $4, $5, $6, $7, $8, $9) AS z JOIN %s AS t ON t.rid = z.rid CROSS JOIN LATERAL (
                SELECT sum(c.count) AS number, sum(c.value * c.count) AS total, min(c.value) AS low, max(c.value) AS high,
                    sum(c.count * (c.value - c.mean) ^ 2) AS squares
                FROM (SELECT value, count, sum(value * count) OVER () / sum(count) OVER () AS mean
                    FROM tile_counts(t.rast, $1, t.has_validity, $2, z.froms, z.ends)) AS c
            ) AS s WHERE s.number > 0
        ), whole AS (SELECT sum(number)::double precision AS number, sum(total) AS total, sum(total) / sum(number)::double precision AS mean FROM tiles)
        SELECT coalesce(w.number, 0)::bigint, coalesce(w.total, 0), w.mean, min(t.low), max(t.high),
            sqrt(sum(t.squares + t.number * (t.total / t.number::double precision - w.mean) ^ 2) / w.number)
        FROM whole AS w LEFT JOIN tiles AS t ON true GROUP BY w.number, w.total, w.mean', level.tiles)
        USING level.place, level.few, geom, level.srid, level.grid, level.width, level.tile_size, level.part, level.bounds;
END
$body$;

-- Both for a layer by its slug.
CREATE FUNCTION layer_of_slug(of_slug text) RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $body$
DECLARE
    found_id bigint;
BEGIN
    SELECT l.id INTO found_id FROM layers AS l WHERE l.slug = of_slug;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no layer %', quote_nullable(of_slug)
            USING ERRCODE = 'no_data_found', HINT = format('SELECT id, slug FROM %I.layers lists them', current_schema());
    END IF;
    RETURN found_id;
END
$body$;
CREATE FUNCTION valuecount(slug text, geom geometry DEFAULT 'TIN EMPTY', band integer DEFAULT 1)
    RETURNS TABLE (value double precision, count bigint)
    LANGUAGE sql STABLE PARALLEL SAFE COST 100000 ROWS 20 SET search_path FROM CURRENT SET jit = off SET plan_cache_mode = force_generic_plan AS $body$
    SELECT * FROM valuecount(layer_of_slug(slug), geom, band)
$body$;
CREATE FUNCTION statistics(slug text, geom geometry DEFAULT 'TIN EMPTY', band integer DEFAULT 1)
    RETURNS TABLE (count bigint, sum double precision, mean double precision, min double precision, max double precision, std double precision)
    LANGUAGE sql STABLE PARALLEL SAFE COST 100000 ROWS 1 SET search_path FROM CURRENT SET jit = off SET plan_cache_mode = force_generic_plan AS $body$
    SELECT * FROM statistics(layer_of_slug(slug), geom, band)
$body$;
