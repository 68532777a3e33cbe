// Package s3test gives tests an S3 store of their own: a versitygw, which is
// S3's protocol over a folder, with credentials, policies and signatures that
// are checked.
//
// Without a versitygw on the machine the tests are skipped, unless
// RASTERBASE_TEST_REQUIRE names s3: then one is built from its pinned source.
package s3test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// version is the versitygw that is built.
const version = "v1.8.0"

// Keys of the store's owner.
const (
	AccessKey = "rasterbase"
	SecretKey = "only-for-tests"
)

// Server is a store on this machine, until the end of the test.
type Server struct {
	URL    string // its endpoint
	client *minio.Client
}

// Start starts a store.
func Start(t testing.TB) *Server {
	t.Helper()
	program := versitygw(t)
	dir := t.TempDir()
	for _, d := range []string{"buckets", "metadata"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	var host string
	var err error
	for range 5 { // another process may take the port first
		if host, err = serve(t, program, dir); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := minio.New(host, &minio.Options{Creds: credentials.NewStaticV4(AccessKey, SecretKey, "")})
	if err != nil {
		t.Fatal(err)
	}
	return &Server{URL: "http://" + host, client: c}
}

// serve starts the program on a free port and waits until it answers.
func serve(t testing.TB, program, dir string) (host string, err error) {
	ctx := context.Background()
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	host = l.Addr().String()
	if err := l.Close(); err != nil {
		return "", err
	}
	ctx, stop := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, program, "--port", host, "--quiet", "posix", "--sidecar", filepath.Join(dir, "metadata"), filepath.Join(dir, "buckets"))
	cmd.Env = []string{"ROOT_ACCESS_KEY=" + AccessKey, "ROOT_SECRET_KEY=" + SecretKey, "HOME=" + dir}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	diesWithUs(cmd)
	var failed error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // the signal of our death is that of this thread
		defer runtime.UnlockOSThread()
		failed = cmd.Run()
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	dialer := net.Dialer{Timeout: time.Second}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		select {
		case <-ended:
			return "", fmt.Errorf("the S3 store ended at its start: %w\n%s", failed, &output)
		default:
		}
		if c, err := dialer.DialContext(ctx, "tcp", host); err == nil {
			return host, c.Close()
		}
	}
	return "", errors.New("the S3 store does not answer")
}

// versitygw finds the program, or builds it where it is required.
func versitygw(t testing.TB) string {
	t.Helper()
	if path, err := exec.LookPath("versitygw"); err == nil {
		return path
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "rasterbase-test", "versitygw-"+version)
	path := filepath.Join(dir, "versitygw")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if !slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), "s3") {
		t.Skipf("no versitygw is installed: go install github.com/versity/versitygw/cmd/versitygw@%s", version)
	}
	if err := build(dir); err != nil {
		t.Fatal(err)
	}
	return path
}

// build makes the program in a folder, whole or not at all.
func build(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	cmd := exec.CommandContext(context.Background(), "go", "install", "github.com/versity/versitygw/cmd/versitygw@"+version)
	cmd.Env = append(os.Environ(), "GOBIN="+temp, "GOFLAGS=", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build versitygw: %w\n%s", err, out)
	}
	return os.Rename(filepath.Join(temp, "versitygw"), filepath.Join(dir, "versitygw"))
}

// Bucket makes a bucket. A public one can be read without credentials.
func (s *Server) Bucket(t testing.TB, name string, public bool) {
	t.Helper()
	ctx := context.Background()
	err := s.client.MakeBucket(ctx, name, minio.MakeBucketOptions{})
	if err == nil && public {
		err = s.client.SetBucketPolicy(ctx, name, fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [
			{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::%s/*"}]}`, name))
	}
	if err != nil {
		t.Fatalf("make the bucket %s: %v", name, err)
	}
}

// Put writes an object.
func (s *Server) Put(t testing.TB, bucket, key string, contents []byte) {
	t.Helper()
	_, err := s.client.PutObject(context.Background(), bucket, key, bytes.NewReader(contents), int64(len(contents)), minio.PutObjectOptions{})
	if err != nil {
		t.Fatalf("write s3://%s/%s: %v", bucket, key, err)
	}
}
