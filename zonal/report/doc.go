// Package report tells answers of package zonal: as documents for JSON, and as rows of
// tables. The server and the command line tell the same by it.
package report
