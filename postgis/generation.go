package postgis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store/sqlcatalog"
)

// ListenByPolling is the value of [Options.ListenURL] that keeps a store from
// listening for changes of others: it looks for them, a few times a second.
const ListenByPolling = "poll"

// Generation names the state of what tiles are drawn from. Changes made through
// this DB show at once, those of others, also by hand in psql, as soon as the
// server sends word of them, and within half a second when that does not arrive.
func (c catalog) Generation() (uint64, bool) { return c.db.generation.Now() }

// Generation is never known: nobody else may be given what a transaction sees.
func (c txCatalog) Generation() (uint64, bool) { return 0, false }

// prunePause is how long a row of a change is kept at least.
const prunePause = 10 * time.Minute

// watch looks for changes over a connection of its own. The server's word that
// there is something to be seen only makes the next look come sooner: what a
// pooler swallows, or a connection that died without a sign, does no harm then.
type watch struct {
	db   *DB
	conn *pgx.Conn

	snapshot string    // what the last look saw
	at       time.Time // of it, by the server's clock
	old      string    // a snapshot of some time ago: what it saw everybody has seen
	oldAt    time.Time
}

// listensElsewhere reports whether watches connect to another address than the
// pool.
func (db *DB) listensElsewhere() bool {
	return db.o.ListenURL != "" && db.o.ListenURL != ListenByPolling
}

// watchConfig is how watches connect: to the server that ListenURL names, or
// else as the pool does.
func (db *DB) watchConfig() (*pgx.ConnConfig, error) {
	if !db.listensElsewhere() {
		return db.pool.Config().ConnConfig, nil
	}
	c, err := pgx.ParseConfig(db.o.ListenURL)
	if err != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the address for listening to the database is wrong: %w", withoutPassword(err)).
			WithHint("write postgres://user:password@host:port/database, or %s", ListenByPolling)
	}
	return c, nil
}

func (db *DB) watch(ctx context.Context) (_ sqlcatalog.Watch, err error) {
	c, err := db.watchConfig()
	if err != nil {
		return nil, err
	}
	var hooks pgxpool.Config // a host's, which may get passwords, or set a role
	if !db.listensElsewhere() {
		hooks = *db.pool.Config()
	}
	if hooks.BeforeConnect != nil {
		if err := hooks.BeforeConnect(ctx, c); err != nil {
			return nil, fmt.Errorf("connecting to the database: %w", withoutPassword(err))
		}
	}
	// Notifications are waited for here, with deadlines that end no connection.
	c.OnNotification = nil
	c.BuildContextWatcherHandler = func(p *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: p.Conn()}
	}
	w := &watch{db: db}
	if w.conn, err = pgx.ConnectConfig(ctx, c); err != nil {
		return nil, fmt.Errorf("connecting to the database: %w", withoutPassword(err))
	}
	if hooks.AfterConnect != nil {
		err = hooks.AfterConnect(ctx, w.conn)
	}
	if err == nil {
		err = w.begin(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// begin listens, where that is of use, and takes the first snapshot.
func (w *watch) begin(ctx context.Context) error {
	listen, err := w.mayListen(ctx)
	if err == nil && w.db.listensElsewhere() {
		err = w.sameServer(ctx)
	}
	if err == nil && listen {
		_, err = w.conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel(w.db.o.Schema)}.Sanitize())
	}
	if err != nil {
		return w.db.storageError(err, "listening for changes of the catalog")
	}
	_, err = w.Look(ctx)
	return err
}

// channel is where the triggers of the schema's tables send word.
func channel(schema string) string {
	name := "rasterbase_" + schema
	return name[:min(len(name), 63)]
}

// mayListen reports whether word from the server will come. Where the connection
// is not to the process that runs our statements, a pooler stands between: LISTEN
// would stay with a connection of the server's that others get next. An address
// that was given for listening is believed.
func (w *watch) mayListen(ctx context.Context) (bool, error) {
	var pid uint32
	var standby bool
	if err := w.conn.QueryRow(ctx, `SELECT pg_backend_pid(), pg_is_in_recovery()`, pgx.QueryExecModeExec).Scan(&pid, &standby); err != nil {
		return false, err
	}
	if standby || w.db.o.ListenURL == ListenByPolling {
		return false, nil
	}
	return w.db.listensElsewhere() || pid == w.conn.PgConn().PID(), nil
}

// sameServer refuses an address for listening where other changes are seen than
// those of the pool's database.
func (w *watch) sameServer(ctx context.Context) error {
	query := `SELECT concat_ws('/', extract(epoch FROM pg_postmaster_start_time()), (SELECT oid FROM pg_database WHERE datname = current_database()),
		to_regclass('` + w.db.table("catalog_changes") + `')::oid)`
	var here, there string
	if err := w.db.pool.QueryRow(ctx, query).Scan(&here); err != nil {
		return err
	}
	if err := w.conn.QueryRow(ctx, query, pgx.QueryExecModeExec).Scan(&there); err != nil {
		return err
	}
	if here != there {
		return rasterbase.Errorf(rasterbase.Invalid, "the address for listening is another database").
			WithHint("name the server and the database of the store, without the pooler (RASTER_LISTEN_URL of the program)")
	}
	return nil
}

// Look compares with the snapshot of the look before: a change was made when a
// transaction's row is seen that was not seen then.
func (w *watch) Look(ctx context.Context) (bool, error) {
	var now struct {
		snapshot string
		at       time.Time
		changed  bool
	}
	before := w.snapshot
	if before == "" {
		before = "1:1:"
	}
	err := w.conn.QueryRow(ctx, `SELECT pg_current_snapshot()::text, clock_timestamp(), EXISTS (SELECT 1 FROM `+w.db.table("catalog_changes")+`
			WHERE xid >= pg_snapshot_xmin($1::text::pg_snapshot) AND xid < pg_snapshot_xmax(pg_current_snapshot())
				AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot))`, pgx.QueryExecModeExec, before).
		Scan(&now.snapshot, &now.at, &now.changed)
	if err != nil {
		return false, w.db.storageError(err, "looking for changes of the catalog")
	}
	// A process that slept for so long may have missed rows that are gone.
	slept := !w.at.IsZero() && now.at.Sub(w.at).Abs() > prunePause/2
	w.snapshot, w.at = now.snapshot, now.at
	w.prune(ctx)
	return now.changed || slept, nil
}

// prune removes the rows that everybody has seen, now and then.
func (w *watch) prune(ctx context.Context) {
	if !w.oldAt.IsZero() && w.at.Sub(w.oldAt) < prunePause {
		return
	}
	if w.old != "" {
		_, err := w.conn.Exec(ctx, `DELETE FROM `+w.db.table("catalog_changes")+`
			WHERE xid < pg_snapshot_xmax($1::text::pg_snapshot) AND pg_visible_in_snapshot(xid, $1::text::pg_snapshot)`,
			pgx.QueryExecModeExec, w.old)
		if err != nil { // they do no harm
			w.db.o.Logger.DebugContext(ctx, "removing old rows of changes", "error", withoutPassword(err))
		}
	}
	w.old, w.oldAt = w.snapshot, w.at
}

// Wait waits for word from the server, and takes all that has come.
func (w *watch) Wait(ctx context.Context) error {
	_, err := w.conn.WaitForNotification(ctx)
	for err == nil {
		err = w.taken()
	}
	if w.conn.IsClosed() {
		return w.db.storageError(err, "listening for changes of the catalog")
	}
	return nil
}

// taken takes a notification that has come already; the error says that there is
// none.
func (w *watch) taken() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := w.conn.WaitForNotification(ctx)
	return err
}

// Close ends the connection, without waiting for a server that is away.
func (w *watch) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return w.conn.Close(ctx)
}
