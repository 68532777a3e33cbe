package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
)

// The headers of a request.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

// DefaultTolerance is how far the clocks of sender and receiver may be apart.
const DefaultTolerance = 5 * time.Minute

// secretPrefix begins a secret that is written as base64.
const secretPrefix = "whsec_"

// secretBytes is the shortest secret that the specification allows.
const secretBytes = 24

// ErrUnverified is matched by errors of [Verify].
var ErrUnverified = errors.New("the request is not from who has the secret")

// keys reads a secret: whsec_ and base64, or plain text. Several that begin with
// whsec_ and have spaces between them are the new one and old ones, while a
// secret is being replaced.
func keys(secret string) ([][]byte, error) {
	words := strings.Fields(secret)
	if len(words) == 0 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the secret of the web hook is empty")
	}
	var all [][]byte
	for _, w := range words {
		text, encoded := strings.CutPrefix(w, secretPrefix)
		if !encoded {
			return [][]byte{[]byte(strings.TrimSpace(secret))}, nil
		}
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(key) == 0 { // the cause would show a part of the secret
			return nil, rasterbase.Errorf(rasterbase.Invalid, "what follows %s in the secret of the web hook is not base64", secretPrefix)
		}
		all = append(all, key)
	}
	return all, nil
}

// signature is that of one request with one key.
func signature(key []byte, id, timestamp string, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(id + "." + timestamp + "."))
	h.Write(body)
	return h.Sum(nil)
}

// sign writes the header of signatures, one for each key.
func sign(keys [][]byte, id, timestamp string, body []byte) string {
	all := make([]string, len(keys))
	for i, k := range keys {
		all[i] = "v1," + base64.StdEncoding.EncodeToString(signature(k, id, timestamp, body))
	}
	return strings.Join(all, " ")
}

// Verify tells whether a request that was received at a time is from who has
// the secret, which is written as for [Sender]. Body is the request's, byte by
// byte as it came, and is not to be looked at before. A request whose timestamp
// is further from now than the tolerance may be an old one that somebody sends
// again; 0 is [DefaultTolerance]. Errors match [ErrUnverified], but for those of
// the secret itself.
//
// Within the tolerance a request can come twice, from the sender who missed the
// answer or from somebody else: receivers keep webhook-id for so long.
func Verify(secret string, h http.Header, body []byte, now time.Time, tolerance time.Duration) error {
	keys, err := keys(secret)
	if err != nil {
		return err
	}
	if tolerance == 0 {
		tolerance = DefaultTolerance
	}
	id, timestamp := h.Get(HeaderID), h.Get(HeaderTimestamp)
	if id == "" {
		return fmt.Errorf("%w: it has no %s", ErrUnverified, strings.ToLower(HeaderID))
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: its %s is not a whole number", ErrUnverified, strings.ToLower(HeaderTimestamp))
	}
	if apart := now.Sub(time.Unix(seconds, 0)).Abs(); apart > tolerance {
		return fmt.Errorf("%w: its time is %s from now", ErrUnverified, apart.Round(time.Second))
	}
	if !signed(keys, h.Get(HeaderSignature), id, timestamp, body) {
		return fmt.Errorf("%w: no signature is right", ErrUnverified)
	}
	return nil
}

// signed looks for a right signature among those of a header. Signatures of
// other versions are left alone.
func signed(keys [][]byte, header, id, timestamp string, body []byte) bool {
	for _, k := range keys {
		want := signature(k, id, timestamp, body)
		for word := range strings.FieldsSeq(header) {
			text, v1 := strings.CutPrefix(word, "v1,")
			got, err := base64.StdEncoding.DecodeString(text)
			if v1 && err == nil && hmac.Equal(got, want) {
				return true
			}
		}
	}
	return false
}
