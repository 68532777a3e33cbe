-- Makes postgis.json: rasters that PostGIS made, in its own binary form, with
-- what PostGIS says of them. In a database with postgis and postgis_raster:
--   psql -qAt -f postgis.sql > postgis.json
create temp table c (i serial, name text, sql text, rast raster);
insert into c (name, sql) values
 ('nothing', $$ST_MakeEmptyRaster(0, 0, 0, 0, 1, 1, 0, 0, 0)$$),
 ('no bands', $$ST_MakeEmptyRaster(3, 2, 500000, 4500000, 30, -30, 0, 0, 32618)$$),
 ('no pixels but a band', $$ST_AddBand(ST_MakeEmptyRaster(0, 0, 0, 0, 1, 1, 0, 0, 4326), '8BUI'::text, 0, NULL)$$),
 ('skew and south-up', $$ST_AddBand(ST_MakeEmptyRaster(2, 3, -1.5, 2.25, 0.125, 0.25, 0.0625, -0.03125, 4326), '16BSI'::text, -7, NULL)$$),
 ('srid of ours', $$ST_AddBand(ST_MakeEmptyRaster(1, 1, 0.1, -0.1, 1e-9, -1e9, 0, 0, 910001), '8BUI'::text, 200, 255)$$),
 ('one row', $$ST_SetValues(ST_AddBand(ST_MakeEmptyRaster(5, 1, 0, 0, 1, -1, 0, 0, 3857), '32BSI'::text, 0, NULL), 1, 1, 1, ARRAY[[-2147483648, -1, 0, 1, 2147483647]]::float8[][])$$),
 ('one column', $$ST_SetValues(ST_AddBand(ST_MakeEmptyRaster(1, 4, 0, 0, 1, -1, 0, 0, 3857), '32BUI'::text, 0, 4294967295), 1, 1, 1, ARRAY[[0], [1], [4294967295], [4294967294]]::float8[][])$$),
 ('float32 with nan as nodata', $$ST_SetValues(ST_AddBand(ST_MakeEmptyRaster(3, 2, 0, 0, 1, -1, 0, 0, 3857), '32BF'::text, 0, 'NaN'), 1, 1, 1, ARRAY[[1.5, 'NaN', -0.1], ['Infinity', '-Infinity', 3.4028234663852886e38]]::float8[][])$$),
 ('float64 without nodata', $$ST_SetValues(ST_AddBand(ST_MakeEmptyRaster(3, 2, 0, 0, 1, -1, 0, 0, 3857), '64BF'::text, 0, NULL), 1, 1, 1, ARRAY[[1.5, 'NaN', -0.1], ['Infinity', '-Infinity', 1e308]]::float8[][])$$),
 ('float32 with the lowest as nodata', $$ST_AddBand(ST_MakeEmptyRaster(2, 1, 0, 0, 1, -1, 0, 0, 3857), '32BF'::text, 0.1, -3.4028234663852886e38)$$),
 ('whole band is nodata', $$ST_SetBandIsNoData(ST_AddBand(ST_MakeEmptyRaster(2, 2, 0, 0, 1, -1, 0, 0, 3857), '16BUI'::text, 5, 9), 1)$$),
 ('four bands of four types', $$ST_AddBand(ST_MakeEmptyRaster(2, 2, 0, 0, 1, -1, 0, 0, 3857), ARRAY[ROW(1, '8BUI', 7, NULL), ROW(2, '16BSI', -3, -9999), ROW(3, '64BF', 0.1, NULL), ROW(4, '1BB', 1, 0)]::addbandarg[])$$);
insert into c (name, sql)
 select t || case when n is null then ' without nodata' else ' with nodata' end,
  format($$ST_SetValues(ST_AddBand(ST_MakeEmptyRaster(3, 2, 10, 20, 0.5, -0.5, 0, 0, 4326), '%s'::text, 0, %s), 1, 1, 1, ARRAY[%s]::float8[][])$$, t, coalesce(n, 'NULL'), v)
 from (values
  ('1BB', '0', '[0, 1, 0], [1, 1, 0]'),
  ('2BUI', '3', '[0, 1, 2], [3, 2, 1]'),
  ('4BUI', '15', '[0, 1, 2], [14, 15, 7]'),
  ('8BSI', '-128', '[-128, -1, 0], [1, 126, 127]'),
  ('8BUI', '255', '[0, 1, 2], [127, 254, 255]'),
  ('16BSI', '-9999', '[-32768, -9999, 0], [1, 256, 32767]'),
  ('16BUI', '65535', '[0, 1, 255], [256, 65534, 65535]'),
  ('32BSI', '-2147483648', '[-2147483648, -65537, 0], [1, 65536, 2147483647]'),
  ('32BUI', '4294967295', '[0, 1, 255], [65536, 4294967294, 4294967295]'),
  ('32BF', '-9999', '[0, 0.1, -0.5], [1e-30, -9999, 1e30]'),
  ('64BF', '-9999', '[0, 0.1, -0.5], [1e-300, -9999, 1e300]')) as t(t, nd, v),
 lateral (values (null), (nd)) as n(n);
do $$ declare r record; begin
 for r in select * from c loop
  execute format('update c set rast = %s where i = %s', r.sql, r.i);
 end loop;
end $$;
select jsonb_pretty(jsonb_build_object('postgis', postgis_lib_version(), 'cases', jsonb_agg(jsonb_build_object(
  'name', name, 'sql', sql, 'wkb', rast::text, 'metadata', to_jsonb(ST_MetaData(rast)), 'bands',
  (select coalesce(jsonb_agg(jsonb_build_object(
    'pixeltype', ST_BandPixelType(rast, b),
    'nodatavalue', ST_BandNoDataValue(rast, b),
    'values', case when ST_Width(rast) > 0 then to_jsonb(ST_DumpValues(rast, b, false)) end) order by b), '[]')
   from generate_series(1, ST_NumBands(rast)) b)) order by i))) from c;
