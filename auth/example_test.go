package auth_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/auth"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
)

// A user gets a token, and a request shows it.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "auth")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	st, err := sqlite.Open(ctx, dir, sqlite.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer st.Close()

	var secret string // is shown once, and kept nowhere
	err = st.Catalog().Update(ctx, func(tx store.Tx) error {
		anna := &rasterbase.User{Name: "anna", Role: rasterbase.Editor}
		if err := tx.Users().Create(ctx, anna); err != nil {
			return err
		}
		var token rasterbase.Token
		secret, token = auth.NewToken(anna.ID, "laptop", time.Now().AddDate(1, 0, 0))
		return tx.Tokens().Create(ctx, &token)
	})
	if err != nil {
		log.Fatal(err)
	}

	a := auth.New(st.Catalog(), auth.Options{})
	defer a.Close()
	r, err := http.NewRequestWithContext(ctx, "DELETE", "https://example.org/api/v1/layers/1", nil)
	if err != nil {
		log.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	who, err := a.Principal(r)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(who.Name, who.Role)
	fmt.Println(a.May(ctx, who, rasterbase.Edit, nil))
	fmt.Println(rasterbase.CodeOf(a.May(ctx, who, rasterbase.Manage, nil)))
	// Output:
	// anna editor
	// <nil>
	// forbidden
}
