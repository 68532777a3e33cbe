package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Cluster is a running PostgreSQL in a temporary folder.
type Cluster struct {
	Port   int
	Bin    string // folder of the server's programs
	dir    string
	server *exec.Cmd
	log    string
	ended  chan ending
}

// ending is how a server ended.
type ending struct{ err error }

var errNotInstalled = errors.New("PostgreSQL with PostGIS is not installed: `make test-deps` installs it")

// templateName is the database that others are copied from.
const templateName = "with_postgis"

// URL is the address of a database of the cluster, for a superuser.
func (c *Cluster) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s", c.Port, database)
}

// Start makes a cluster, starts its server and waits until it answers. The
// server ends with [Cluster.Stop], and on Linux also with this process.
func Start() (_ *Cluster, err error) {
	c := &Cluster{ended: make(chan ending, 1)}
	if c.Bin, err = serverPrograms(); err != nil {
		return nil, err
	}
	// Sockets need a short path, and the server's user a way to its folder.
	if c.dir, err = os.MkdirTemp("", "pgtest"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	if err := ownedByServer(c.dir); err != nil {
		return nil, err
	}
	data := filepath.Join(c.dir, "data")
	initdb := c.command("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("making a PostgreSQL cluster: %w\n%s", err, out)
	}
	if err := c.serve(data); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := c.exec(ctx, "postgres", "CREATE DATABASE "+templateName); err != nil {
		return nil, err
	}
	if err := c.exec(ctx, templateName, "CREATE EXTENSION postgis; CREATE EXTENSION postgis_raster"); err != nil {
		return nil, err
	}
	return c, nil
}

// serverPrograms finds the newest server's folder of programs.
func serverPrograms() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		bin := filepath.Dir(found[len(found)-1])
		share := filepath.Join("/usr/share/postgresql", filepath.Base(filepath.Dir(bin)), "extension/postgis_raster.control")
		if _, err := os.Stat(share); err != nil {
			return "", errNotInstalled
		}
		return bin, nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errNotInstalled
}

// command is a program of the server, run as the user that may run it.
func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), filepath.Join(c.Bin, name), args...)
	cmd.Dir = c.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TZ=UTC"}
	asServer(cmd)
	return cmd
}

// serve starts the server on a free port and waits until it answers. A port
// that another process takes first is tried anew.
func (c *Cluster) serve(data string) error {
	var err error
	for range 5 {
		if err = c.serveOnce(data); err == nil {
			return nil
		}
	}
	return err
}

func (c *Cluster) serveOnce(data string) (err error) {
	if c.Port, err = freePort(); err != nil {
		return err
	}
	return c.run(data)
}

// run starts the server on the cluster's port.
func (c *Cluster) run(data string) (err error) {
	c.log = filepath.Join(c.dir, "log")
	log, err := os.Create(c.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	// What is lost with the machine is of no use: nothing is synced.
	cmd := c.command("postgres", "-D", data, "-p", fmt.Sprint(c.Port), "-k", c.dir, "-h", "127.0.0.1", "-F",
		"-c", "full_page_writes=off", "-c", "synchronous_commit=off", "-c", "max_connections=200",
		"-c", "shared_buffers=128MB", "-c", "max_wal_size=4GB", "-c", "jit=off")
	cmd.Stdout, cmd.Stderr = log, log
	started := make(chan error)
	go func() { c.ended <- ending{startAndWait(cmd, started)} }()
	if err := <-started; err != nil {
		<-c.ended
		return fmt.Errorf("starting PostgreSQL: %w", err)
	}
	c.server = cmd
	return c.waitUntilReady()
}

func (c *Cluster) waitUntilReady() error {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		select {
		case end := <-c.ended:
			c.server = nil
			return fmt.Errorf("PostgreSQL ended at its start: %w\n%s", end.err, c.lastLog())
		default:
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := c.answers(ctx)
		cancel()
		if err == nil {
			return nil
		}
	}
	return errors.Join(fmt.Errorf("PostgreSQL did not answer within a minute\n%s", c.lastLog()), c.Halt())
}

// answers asks through the socket in the cluster's folder: on the port another
// server might answer.
func (c *Cluster) answers(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, fmt.Sprintf("postgres://postgres@/postgres?host=%s&port=%d", url.QueryEscape(c.dir), c.Port))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

func (c *Cluster) lastLog() string {
	b, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b[max(0, len(b)-4000):]))
}

// Halt stops the server, as an administrator does who will start it again.
func (c *Cluster) Halt() error {
	var errs []error
	if c.server != nil {
		errs = append(errs, stopServer(c.server.Process))
		select {
		case <-c.ended: // how it ended does not matter
		case <-time.After(30 * time.Second):
			errs = append(errs, errors.New("PostgreSQL did not end"), c.server.Process.Kill())
		}
		c.server = nil
	}
	return errors.Join(errs...)
}

// Kill ends the server's first process with SIGKILL; its others end when they
// notice. What they had not written is lost, as with a fault or a machine.
func (c *Cluster) Kill() error { return c.end((*os.Process).Kill) }

// Abort ends all of the server's processes at once, as `pg_ctl stop -m immediate`
// does: without a checkpoint, so that the next start has to recover.
func (c *Cluster) Abort() error { return c.end(abortServer) }

func (c *Cluster) end(how func(*os.Process) error) error {
	if c.server == nil {
		return errors.New("PostgreSQL does not run")
	}
	err := how(c.server.Process)
	<-c.ended
	c.server = nil
	return err
}

// Resume starts a server that was halted or killed, on the port that it had. The
// processes of one that was killed may need a while to end.
func (c *Cluster) Resume() error {
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		err := c.run(filepath.Join(c.dir, "data"))
		if err == nil || !strings.Contains(err.Error(), "is still in use") || time.Now().After(end) {
			return err
		}
	}
}

// Stop stops the server and removes the cluster.
func (c *Cluster) Stop() error { return errors.Join(c.Halt(), os.RemoveAll(c.dir)) }

func freePort() (int, error) {
	var config net.ListenConfig
	l, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}
