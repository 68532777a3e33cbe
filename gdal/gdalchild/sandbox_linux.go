package gdalchild

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sandbox tells which confinements of children are in force on this machine.
func Sandbox() []string {
	out := []string{"RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_CORE"}
	abi := landlockABI()
	if abi >= 1 {
		out = append(out, fmt.Sprintf("Landlock %d: files", abi))
	}
	if abi >= 4 {
		out = append(out, fmt.Sprintf("Landlock %d: no TCP", abi))
	}
	if canFilterCalls() {
		out = append(out, "seccomp: no network, no other programs or processes")
	}
	return out
}

// stackSize is of each thread in a child. It counts as memory of the child
// whether used or not, and the usual 8 MiB would leave little for the work.
const stackSize = 2 << 20

// confine sets the limits and the file system rules and executes the program
// once more, since Landlock holds for the thread that asks and for what is
// started from it, and this process has several threads already.
func confine(s setup) error {
	runtime.LockOSThread()
	for what, limit := range map[int]uint64{
		unix.RLIMIT_CORE:   0,
		unix.RLIMIT_NOFILE: 256,
		unix.RLIMIT_FSIZE:  uint64(s.FileSizeLimit),
		unix.RLIMIT_STACK:  stackSize,
	} {
		if err := lower(what, limit); err != nil {
			return err
		}
	}
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("give up privileges: %w", err)
	}
	if abi := landlockABI(); abi >= 1 {
		if err := landlock(abi, s, exe); err != nil {
			return err
		}
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	env := []string{marker + "=" + string(text)}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, marker+"=") {
			env = append(env, e)
		}
	}
	return fmt.Errorf("execute %s: %w", exe, syscall.Exec(exe, os.Args, env))
}

// lower sets a limit, or leaves a lower one.
func lower(what int, limit uint64) error {
	var r unix.Rlimit
	if err := unix.Getrlimit(what, &r); err != nil {
		return fmt.Errorf("look at limit %d: %w", what, err)
	}
	limit = min(limit, r.Max)
	if err := unix.Setrlimit(what, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
		return fmt.Errorf("set limit %d to %d: %w", what, limit, err)
	}
	return nil
}

// limitMemory sets RLIMIT_DATA so that about MemoryLimit bytes can be in
// memory. What the process has reserved at its start without touching it (Go's
// heap, stacks) counts for the kernel, and is added.
func limitMemory(s setup) error {
	data, anon, err := memory("/proc/self/status")
	if err != nil {
		// Without /proc the limit is what was asked for and no more.
		data, anon = 0, 0
	}
	return lower(unix.RLIMIT_DATA, uint64(s.MemoryLimit+max(0, data-anon)))
}

// memory reads how many bytes of its own a process has reserved, and how many
// of them are in memory.
func memory(status string) (data, anon int64, err error) {
	f, err := os.Open(status)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		name, rest, _ := strings.Cut(s.Text(), ":")
		fields := strings.Fields(rest)
		if len(fields) == 0 {
			continue
		}
		n, _ := strconv.ParseInt(fields[0], 10, 64)
		switch name {
		case "VmData":
			data = n << 10
		case "RssAnon":
			anon = n << 10
		}
	}
	return data, anon, nil
}

// landlockABI is the version of Landlock that the kernel has; 0: none.
func landlockABI() int {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(v)
}

// Rights of Landlock. readOnly and execute apply to folders and, without
// READ_DIR, to files.
const (
	readFile  = unix.LANDLOCK_ACCESS_FS_READ_FILE
	readOnly  = readFile | unix.LANDLOCK_ACCESS_FS_READ_DIR
	program   = readOnly | unix.LANDLOCK_ACCESS_FS_EXECUTE
	device    = readFile | unix.LANDLOCK_ACCESS_FS_WRITE_FILE
	readWrite = readOnly | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_DIR
	// onFiles are the rights that a rule for a single file may have.
	onFiles = readFile | unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
)

// handled are all rights of files that a version knows: what is not allowed by
// a rule is refused.
func handled(abi int) uint64 {
	h := uint64(unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1)
	if abi >= 2 {
		h |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		h |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 5 {
		h |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	return h
}

// landlock confines the calling thread and what is executed from it.
func landlock(abi int, s setup, exe string) error {
	attr := unix.LandlockRulesetAttr{Handled_access_fs: handled(abi)}
	if abi >= 4 {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if abi >= 6 {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	// Older kernels know a shorter form and accept a longer one that is zero
	// beyond what they know.
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return fmt.Errorf("make Landlock rules: %w", errno)
	}
	defer unix.Close(int(fd))
	for _, p := range places(s, exe) {
		access := p.access
		if p.access == readWrite && abi >= 3 {
			access |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
		}
		if err := allow(int(fd), p.path, access&handled(abi)); err != nil {
			return err
		}
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return fmt.Errorf("apply Landlock rules: %w", errno)
	}
	return nil
}

type place struct {
	path   string
	access uint64
}

// places lists what a child may see: the folder of its file, the data of GDAL
// and PROJ, the program and its libraries, and its temporary folder.
func places(s setup, exe string) []place {
	out := []place{
		{filepath.Dir(s.Source), readOnly},
		{s.TempDir, readWrite},
		{exe, program},
		{"/etc/ld.so.cache", readFile},
		{"/etc/ld.so.conf", readFile},
		{"/etc/ld.so.conf.d", readOnly},
		{"/dev/null", device},
		{"/dev/urandom", readFile},
		{"/proc/" + strconv.Itoa(os.Getpid()), readOnly},
		{"/sys/kernel/mm/transparent_hugepage", readOnly},
		{"/sys/devices/system/cpu", readOnly},
	}
	if real, err := filepath.EvalSymlinks(s.Source); err == nil {
		out = append(out, place{filepath.Dir(real), readOnly})
	}
	for _, dir := range []string{"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"} {
		out = append(out, place{dir, program})
	}
	for _, dir := range []string{"/usr/share/gdal", "/usr/share/proj", "/usr/local/share/gdal", "/usr/local/share/proj"} {
		out = append(out, place{dir, readOnly})
	}
	for _, name := range dataVariables {
		for _, dir := range filepath.SplitList(os.Getenv(name)) {
			out = append(out, place{dir, readOnly})
		}
	}
	for _, lib := range mapped() {
		out = append(out, place{lib, program})
	}
	return out
}

// mapped lists the files that this process runs from, wherever the libraries
// are installed.
func mapped() []string {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return nil
	}
	defer f.Close()
	seen := map[string]bool{}
	var out []string
	for s := bufio.NewScanner(f); s.Scan(); {
		i := strings.IndexByte(s.Text(), '/')
		if i < 0 {
			continue
		}
		if path := s.Text()[i:]; !seen[path] {
			seen[path] = true
			out = append(out, path)
		}
	}
	return out
}

// allow adds a rule. What does not exist needs none.
func allow(ruleset int, path string, access uint64) error {
	if path == "" {
		return nil
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("allow %s: %w", path, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("allow %s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		access &= onFiles
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset),
		unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("allow %s: %w", path, errno)
	}
	return nil
}
