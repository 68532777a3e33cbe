package fetch

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"
)

// guard makes connections, and looks at the address of each one when it is
// known for good and nothing has been sent: neither a name that resolves to
// something else the second time nor a redirect gets around it.
type guard struct {
	allow    Hosts
	resolver *net.Resolver // nil: the system's
	timeout  time.Duration
	// permitted is asked after the guard has let an address pass. Tests keep
	// connections from leaving the machine with it.
	permitted func(a netip.AddrPort) error
}

// refused is the error of an address that may not be reached.
type refused struct {
	host  string
	addr  netip.Addr
	class class
}

func (e *refused) Error() string {
	if e.host == e.addr.String() {
		return fmt.Sprintf("the address %s is %s", e.addr, e.class)
	}
	return fmt.Sprintf("the address %s of %s is %s", e.addr, e.host, e.class)
}

// dial connects to a host of which the transport knows the name and the port.
func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{
		Timeout:  g.timeout,
		Resolver: g.resolver,
		Control: func(_, resolved string, _ syscall.RawConn) error {
			return g.check(host, port, resolved)
		},
	}
	return d.DialContext(ctx, network, address)
}

// check refuses an address that a host's name was resolved to.
func (g *guard) check(host, port, resolved string) error {
	to, err := netip.ParseAddrPort(resolved)
	if err != nil {
		return fmt.Errorf("reading the address %q: %w", resolved, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || uint16(n) != to.Port() {
		return fmt.Errorf("the port %s became %d", port, to.Port())
	}
	c := classify(to.Addr())
	if c != public && !g.allow.allowsAddress(to.Addr(), to.Port()) &&
		!(c.byName() && g.allow.allowsName(host, to.Port())) {
		return &refused{host: host, addr: to.Addr().Unmap(), class: c}
	}
	if g.permitted != nil {
		return g.permitted(to)
	}
	return nil
}
