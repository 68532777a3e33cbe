// Package s3 reads objects of Amazon S3 and of stores that speak its protocol.
package s3

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/fetch"
)

// amazon is the endpoint when none is given.
const amazon = "s3.amazonaws.com"

// Options are what a [Client] works with. The zero value reads from Amazon,
// with the credentials of the environment.
type Options struct {
	// Endpoint is the address of another store: http or https, host and port.
	// Its host is trusted: it may have a private address. Buckets are named in
	// the path.
	Endpoint string
	// Region of the endpoint. Amazon's regions are found out, but for those of
	// its partitions, such as cn-north-1. Empty: found out.
	Region string
	// RequesterPays agrees to pay for what is read, where a bucket's owner asks
	// for that.
	RequesterPays bool
	// Fetch has the limits, and the hosts that may be reached besides.
	Fetch fetch.Options
}

// Client reads objects. It is safe for concurrent use.
type Client struct {
	fetch *fetch.Client
	core  *minio.Core
	creds *credentials.Credentials
	pays  bool
}

// New makes a client. Credentials are looked for whenever they are needed: in
// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, then in the
// profile AWS_PROFILE of the shared files, which AWS_SHARED_CREDENTIALS_FILE
// and AWS_CONFIG_FILE may name. Without any, requests are anonymous. Metadata
// services of clouds are not asked. The error is about the endpoint.
func New(o Options) (*Client, error) {
	host, secure, region := amazon, true, ""
	if strings.HasPrefix(o.Region, "cn-") || strings.HasPrefix(o.Region, "us-gov-") || strings.HasPrefix(o.Region, "us-iso") {
		region = o.Region
	}
	if o.Endpoint != "" {
		u, err := ParseEndpoint(o.Endpoint)
		if err != nil {
			return nil, err
		}
		trusted, err := fetch.ParseHosts(u.Host)
		if err != nil {
			return nil, fmt.Errorf("the endpoint: %w", err)
		}
		o.Fetch.Allow = o.Fetch.Allow.And(trusted)
		host, secure, region = u.Host, u.Scheme == "https", o.Region
	}
	c := &Client{
		fetch: fetch.New(o.Fetch),
		pays:  o.RequesterPays,
		creds: credentials.NewChainCredentials([]credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}}),
	}
	lookup := minio.BucketLookupAuto
	if o.Endpoint != "" {
		lookup = minio.BucketLookupPath
	}
	var err error
	c.core, err = minio.NewCore(host, &minio.Options{
		Creds: c.creds, Secure: secure, Region: region, BucketLookup: lookup,
		Transport: c.fetch.Transport(), MaxRetries: 3,
	})
	if err != nil {
		return nil, fmt.Errorf("the endpoint %s: %w", host, err)
	}
	return c, nil
}

// ParseEndpoint reads the address of a store.
func ParseEndpoint(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the endpoint is not an address such as https://s3.example.org or http://127.0.0.1:9000").
			WithHint("it has no user, password or path; keys are given in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	return u, nil
}

// object is a file in a bucket.
type object struct{ bucket, key string }

func (o object) String() string { return "s3://" + o.bucket + "/" + o.key }

// parseObject reads s3://bucket/key. The key is taken as it stands.
func parseObject(address string) (o object, err error) {
	problem := func(text string) error {
		return rasterbase.Errorf(rasterbase.Invalid, "%s", text).
			WithHint("write s3://bucket/folder/scene.tif").WithField("source")
	}
	const scheme = "s3://"
	if len(address) < len(scheme) || !strings.EqualFold(address[:len(scheme)], scheme) {
		return o, problem("the address does not begin with s3://")
	}
	bucket, key, _ := strings.Cut(address[len(scheme):], "/")
	switch {
	case strings.Contains(bucket, "@"): // what stands before it may be a secret
		return o, problem("an s3:// address has no user or password; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	case len(bucket) < 3, len(bucket) > 63, strings.Trim(bucket, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") != "":
		return o, problem(fmt.Sprintf("%q is not the name of a bucket", bucket))
	case key == "" || strings.HasSuffix(key, "/"):
		return o, problem(fmt.Sprintf("s3://%s/%s names no file", bucket, key))
	}
	return object{bucket, key}, nil
}

// Open reads the object s3://bucket/key. It gives the last part of the key as
// the file's name, the size, and the bytes, within the limits of a download and
// taken up again when it breaks off. Errors have a code and name the object.
func (c *Client) Open(ctx context.Context, address string) (name string, size int64, body io.ReadCloser, err error) {
	o, err := parseObject(address)
	if err != nil {
		return "", 0, nil, err
	}
	d, err := c.fetch.Stream(ctx, o.String(), func(ctx context.Context, from int64, tag string) (*fetch.Part, error) {
		return c.part(ctx, o, from, tag)
	})
	if err != nil {
		return "", 0, nil, err
	}
	if name = fetch.FileName(path.Base(o.key)); name == "" {
		name = "download"
	}
	return name, d.Size(), d, nil
}

// part is a fetch.Opener.
func (c *Client) part(ctx context.Context, o object, from int64, tag string) (*fetch.Part, error) {
	var get minio.GetObjectOptions
	if c.pays {
		get.Set("x-amz-request-payer", "requester")
	}
	if from > 0 {
		get.Set("Range", fmt.Sprintf("bytes=%d-", from))
		get.Set("If-Match", tag)
	}
	body, info, header, err := c.core.GetObject(ctx, o.bucket, o.key, get)
	if err != nil {
		return nil, c.explain(o, err)
	}
	p := &fetch.Part{Body: body, Size: -1}
	if info.Size >= 0 {
		p.Size = from + info.Size
	}
	if info.ETag != "" {
		p.Tag = `"` + info.ETag + `"`
	}
	problem := ""
	switch e := header.Get("Content-Encoding"); {
	case e != "" && e != "identity" && e != "aws-chunked": // the last is what careless uploads leave
		problem = fmt.Sprintf("the object is packed as %q", e)
	case from > 0 && !strings.HasPrefix(header.Get("Content-Range"), fmt.Sprintf("bytes %d-", from)):
		problem = "the download broke off, and the store cannot go on from there"
	}
	if problem != "" {
		_ = body.Close() // it is of no use
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%s: %s", o, problem).
			WithHint("download the file and import it").WithField("source")
	}
	return p, nil
}
