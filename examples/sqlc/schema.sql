CREATE TABLE IF NOT EXISTS terrains (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name      text   NOT NULL,
    elevation raster NOT NULL, -- metres
    snow      raster           -- 1 where there is some; NULL: nobody has looked
);
