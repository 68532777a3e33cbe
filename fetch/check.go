package fetch

// CheckAddress tells what is wrong with an address, without asking anybody: it
// cannot be read, is not http or https, or names no host.
func CheckAddress(address string) error {
	_, err := parseAddress(address)
	return err
}
