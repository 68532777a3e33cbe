package s3

// CheckAddress tells what is wrong with an address of the form s3://bucket/key,
// without asking anybody.
func CheckAddress(address string) error {
	_, err := parseObject(address)
	return err
}
