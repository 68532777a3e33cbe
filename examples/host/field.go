package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/ingest"
)

// field is a piece of land and whose it is.
type field struct {
	Name   string
	Owner  string
	Border string // WKT, in EPSG:4326
}

// addField saves a field, the layer of a raster file that belongs to it, and the
// job that will report on them: all or nothing.
func (h *host) addField(ctx context.Context, f field, file string) (id int64, err error) {
	ready, err := h.parser.Prepare(ctx, ingest.Request{
		Source: file, Name: f.Name,
		Settings: rasterbase.Settings{Datatype: rasterbase.Categorical},
	})
	if err != nil {
		return 0, err
	}
	err = pgx.BeginFunc(ctx, h.pool, func(tx pgx.Tx) error {
		ticket, err := ready.Save(ctx, h.rasters.WithTx(tx).Catalog())
		if err != nil {
			return err
		}
		err = tx.QueryRow(ctx, `INSERT INTO fields (name, owner, border, layer_id)
			VALUES ($1, $2, ST_GeomFromText($3, 4326), $4) RETURNING id`, f.Name, f.Owner, f.Border, ticket.Layer).Scan(&id)
		if err != nil {
			return err
		}
		_, err = h.river.InsertTx(ctx, tx, reportArgs{Field: id, Parse: ticket}, nil)
		return err
	})
	if err != nil {
		ready.Discard(ctx)
	}
	return id, err
}

// reportArgs is a job of the program's own queue.
type reportArgs struct {
	Field int64             `json:"field"`
	Parse rasterbase.Ticket `json:"parse"`
}

// Kind is the name of such jobs.
func (reportArgs) Kind() string { return "report" }

// reporter runs them.
type reporter struct {
	river.WorkerDefaults[reportArgs]
	host *host
}

// Timeout is none: a parse takes the time that it takes.
func (*reporter) Timeout(*river.Job[reportArgs]) time.Duration { return -1 }

// Work stores how many hectares of each class of its layer a field has. The
// layer must be parsed for that: Run does it, or waits for the worker that has
// begun to.
func (w *reporter) Work(ctx context.Context, job *river.Job[reportArgs]) error {
	if _, err := w.host.parser.Run(ctx, job.Args.Parse, nil); err != nil {
		return err
	}
	cov, err := coverage.OpenLayer(ctx, w.host.rasters, job.Args.Parse.Layer)
	if err != nil {
		return err
	}
	// Tiles are rows like any others, to be joined with the program's own. The
	// layer and the srid are given, so that the server looks at one layer's tables,
	// and there by the spatial index.
	_, err = w.host.pool.Exec(ctx, fmt.Sprintf(`
		INSERT INTO reports (field_id, class, hectares)
		SELECT f.id, (c).value, sum((c).count * abs(ST_ScaleX(t.rast) * ST_ScaleY(t.rast))) / 10000
		FROM fields f, ST_Transform(f.border, %d) AS area,
		rasterbase.published_tiles t, ST_ValueCount(ST_Clip(t.rast, 1, area, true)) AS c
		WHERE f.id = $1 AND t.layer = %d AND t.is_base AND ST_Intersects(t.rast, area)
		GROUP BY f.id, (c).value
		ON CONFLICT (field_id, class) DO UPDATE SET hectares = EXCLUDED.hectares`,
		cov.Describe().CRS.SRID, job.Args.Parse.Layer), job.Args.Field)
	return err
}

// report answers the report on a field, to its owner.
func (h *host) report(w http.ResponseWriter, r *http.Request) {
	type class struct {
		Class    float64 `json:"class"`
		Hectares float64 `json:"hectares"`
	}
	// An error of the query is given by what reads the rows.
	rows, _ := h.pool.Query(r.Context(), `SELECT class, hectares FROM reports JOIN fields ON fields.id = field_id
		WHERE field_id::text = $1 AND owner = $2 ORDER BY class`, r.PathValue("id"), visitor(r.Context()).name)
	classes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[class])
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	case len(classes) == 0:
		http.Error(w, "you have no such field, or its report is not ready", http.StatusNotFound)
	default:
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(classes)
	}
}
