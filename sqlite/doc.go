// Package sqlite keeps everything of an embedded store in one folder:
//
//	rasterbase.db          catalog and queue, users and tokens
//	tiles/<layer>-<revision>.db   the tiles of one revision
//	tiles/gone/            names of the revisions that were dropped
//	sources/<id>/          the files of one source
//
// Several processes may open one folder at once: a command can import while a
// server runs. The folder must be on a local file system, because SQLite's
// locks and shared memory need one.
//
// The catalog is a SQLite database in WAL mode with synchronous=FULL: a
// revision's tiles may be unlinked once its successor was published, so a
// publication must survive a loss of power. Each writing transaction is BEGIN
// IMMEDIATE on the one writing connection of the process; readers have a pool
// of their own and never wait for it.
//
// [Backup] copies a folder while it is used, [Restore] makes one of the copy.
//
// Tiles are encoded as docs/tileformat.md describes.
package sqlite
