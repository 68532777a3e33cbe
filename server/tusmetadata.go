package server

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// maxMetadata bounds what a client may have kept with an upload, in bytes.
const maxMetadata = 8 << 10

// parseMetadata reads the header Upload-Metadata: pairs of a key and its value
// in base64, a space between them, and a comma between the pairs. A value may be
// missing. The error has code invalid.
func parseMetadata(header string) (map[string]string, error) {
	if len(header) > maxMetadata {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the metadata have %d bytes, more than %d", len(header), maxMetadata)
	}
	all := map[string]string{}
	if strings.Trim(header, " \t") == "" {
		return all, nil
	}
	for pair := range strings.SplitSeq(header, ",") {
		key, encoded, _ := strings.Cut(strings.Trim(pair, " \t"), " ")
		if !isKey(key) {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "%.30q cannot be a key of metadata", key).
				WithHint("keys are ASCII, with neither spaces nor commas")
		}
		if _, ok := all[key]; ok {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "the key %.30q of the metadata is given twice", key)
		}
		value, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if err != nil || strings.ContainsAny(encoded, "\r\n") {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "the value of %.30q is not in base64", key)
		}
		all[key] = string(value)
	}
	return all, nil
}

func isKey(key string) bool {
	for _, c := range []byte(key) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return key != ""
}

// fileName is the name that the file shall have.
func fileName(metadata map[string]string) (string, error) {
	name, ok := metadata["filename"]
	if !ok {
		return "", rasterbase.Errorf(rasterbase.Invalid, "the metadata do not name the file").WithHint("add the key filename")
	}
	if !utf8.ValidString(name) {
		return "", rasterbase.Errorf(rasterbase.Invalid, "the file's name %.60q is not UTF-8", name)
	}
	if strings.ContainsFunc(name, rasterbase.Misleads) {
		return "", rasterbase.Errorf(rasterbase.Invalid, "the file's name %.60q has control characters", name)
	}
	return name, store.CheckFileName(name)
}
