package main

import (
	"strings"
	"testing"
)

// Wherever a password stands in an address, it is not shown.
func TestPasswordsAreMasked(t *testing.T) {
	for _, address := range []string{
		"postgres://ann:SECRET@h/db", "postgres://h/db?user=ann&password=SECRET", "postgres://h/db?sslpassword=SECRET&x=1",
		"host=h password=SECRET dbname=db", "postgres://ann:SEC@SECRET@h/db", "postgres://ann:x@ann/SECRET@h/db", "postgres://ann:SECRET@h:port:/db",
	} {
		if got := masked(address); strings.Contains(got, "SECRET") {
			t.Errorf("%s is shown as %s", address, got)
		}
		if d, err := newDatabase(address, "rasterbase"); err != nil && strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v, %v", address, d, err)
		}
		if err := checkStoreURL(address); err != nil && strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"postgres://ann@h/db", "./data", "sqlite:data", "https://h/x.tif?a=b"} {
		if got := masked(address); got != address {
			t.Errorf("%s is shown as %s", address, got)
		}
	}
}
