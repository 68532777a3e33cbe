package admin

// Routes are the patterns of all pages.
func (a *Admin) Routes() []string { return a.patterns }
