package main

import (
	"bytes"
	"log/slog"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/raster"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestRasterIsAField(t *testing.T) {
	url := pgtest.Database(t)
	var out bytes.Buffer
	if err := run(t.Context(), &out, slog.New(slog.DiscardHandler), url); err != nil {
		t.Fatal(err)
	}
	// Eight known pixels of 20, 22.5, 25 and 27.5, then four of 60 and 3 + 4
	// known ones below: (4*60 + 95 + 67.5) / 11. 12 pixels of 100 m² at 7 t/ha.
	want := "Long Acre: 27.5 % moisture at 600035 5100075, harvested: false\n" +
		"after the rain: 36.59 % on average; harvest: 0.84 t\n"
	if out.String() != want {
		t.Errorf("the program says\n%swant\n%s", out.String(), want)
	}

	if err := run(t.Context(), &out, slog.New(slog.DiscardHandler), url); err != nil {
		t.Fatalf("when the table is there already: %v", err)
	}
	var columns string
	db := open(t, url)
	if err := db.Raw(`SELECT string_agg(column_name || ' ' || udt_name || ' ' || is_nullable, ', ' ORDER BY ordinal_position)
		FROM information_schema.columns WHERE table_name = 'plots' AND udt_name = 'raster'`).Scan(&columns).Error; err != nil {
		t.Fatal(err)
	}
	if want := "moisture raster NO, yield raster YES"; columns != want {
		t.Errorf("AutoMigrate made the columns %s, want %s", columns, want)
	}
}

func TestNullAndUpdatesOfOneColumn(t *testing.T) {
	db := open(t, pgtest.Database(t)).WithContext(t.Context())
	if err := db.AutoMigrate(&Plot{}); err != nil {
		t.Fatal(err)
	}
	m := moisture()
	plots := []Plot{{Name: "a", Moisture: m, Yield: &m}, {Name: "b", Moisture: m}}
	if err := db.Create(&plots).Error; err != nil {
		t.Fatal(err)
	}

	var found []Plot
	if err := db.Where("yield IS NULL").Find(&found).Error; err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || found[0].Name != "b" || found[0].Yield != nil || !raster.Equal(&found[0].Moisture, &m) {
		t.Errorf("found %+v where there is no yield", found)
	}

	a := &plots[0]
	if err := db.Model(a).Update("yield", gorm.Expr("NULL")).Error; err != nil {
		t.Fatal(err)
	}
	m.Bands[0].Pixels.Set(0, 99)
	if err := db.Model(a).Update("moisture", m).Error; err != nil {
		t.Fatal(err)
	}
	var again Plot
	if err := db.First(&again, a.ID).Error; err != nil {
		t.Fatal(err)
	}
	if again.Yield != nil || !raster.Equal(&again.Moisture, &m) {
		t.Errorf("after the updates: %+v", again)
	}
}

func open(t *testing.T, url string) *gorm.DB {
	t.Helper()
	db, err := gorm.Open(postgres.Open(url), &gorm.Config{Logger: logger.Default.LogMode(logger.Silent)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if pool, err := db.DB(); err == nil {
			pool.Close()
		}
	})
	return db
}
