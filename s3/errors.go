package s3

import (
	"errors"
	"net/http"

	"github.com/minio/minio-go/v7"

	"github.com/rasterbase/rasterbase"
)

// explain makes an answer of the store an error for the person who gave the
// address. Errors of the network are left to the download.
func (c *Client) explain(o object, err error) error {
	e, ok := errors.AsType[minio.ErrorResponse](err)
	if !ok {
		return err
	}
	problem := func(code rasterbase.Code, text, hint string) error {
		return &rasterbase.Error{Code: code, Message: o.String() + ": " + text, Hint: hint, Field: "source"}
	}
	switch e.Code {
	case minio.NoSuchBucket:
		return problem(rasterbase.NotFound, "there is no bucket "+o.bucket, "")
	case minio.NoSuchKey:
		return problem(rasterbase.NotFound, "there is no such key in bucket "+o.bucket, "")
	case minio.AccessDenied:
		return problem(rasterbase.Forbidden, "access denied", c.wayIn())
	case "InvalidAccessKeyId", "XAdminUserNotFound": // the latter is what versitygw says
		return problem(rasterbase.Forbidden, "access denied: the store does not know the access key", "look at AWS_ACCESS_KEY_ID or the profile")
	case "SignatureDoesNotMatch":
		return problem(rasterbase.Forbidden, "access denied: the secret key is wrong", "look at AWS_SECRET_ACCESS_KEY or the profile")
	case "ExpiredToken", "InvalidToken", "TokenRefreshRequired":
		return problem(rasterbase.Forbidden, "access denied: the session token is not valid any more", "look at AWS_SESSION_TOKEN or the profile")
	case "RequestTimeTooSkewed":
		return problem(rasterbase.Forbidden, "access denied: this machine's clock is wrong", "set it")
	case minio.PreconditionFailed:
		return problem(rasterbase.Conflict, "the object changed while it was downloaded", "try again")
	case "InvalidObjectState":
		return problem(rasterbase.Conflict, "the object is archived", "restore it in the store and try again")
	case minio.AuthorizationHeaderMalformed, minio.InvalidRegion, "PermanentRedirect", "IllegalLocationConstraintException":
		hint := "set AWS_REGION to the region of the bucket"
		if e.Region != "" {
			hint = "set AWS_REGION to " + e.Region
		}
		return problem(rasterbase.Invalid, "the bucket is in another region", hint)
	}
	text := "the store answers " + e.Code
	if e.Message != "" {
		text += ": " + e.Message
	}
	switch {
	case e.StatusCode == http.StatusForbidden || e.StatusCode == http.StatusUnauthorized:
		return problem(rasterbase.Forbidden, "access denied: "+text, c.wayIn())
	case e.StatusCode >= 500 || e.StatusCode == http.StatusTooManyRequests || e.Code == "SlowDown":
		return problem(rasterbase.Busy, text, "try again later")
	}
	return problem(rasterbase.Invalid, text, "")
}

// wayIn says what may help after access was denied.
func (c *Client) wayIn() string {
	value, err := c.creds.GetWithContext(c.core.CredContext())
	if err != nil || value.AccessKeyID == "" {
		return "no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile of the shared credentials file"
	}
	hint := "the credentials may not read it; stores say the same of keys that are not there, when the bucket may not be listed"
	if !c.pays {
		hint += "; when the owner of the bucket asks readers to pay, set RASTER_S3_REQUESTER_PAYS"
	}
	return hint
}
