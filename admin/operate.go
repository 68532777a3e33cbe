package admin

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// jobRow is a job of the queue.
type jobRow struct {
	ID          int64      `json:"id"`
	Kind        string     `json:"kind"`
	State       string     `json:"state"`
	Attempt     int        `json:"attempt"`
	MaxAttempts int        `json:"max_attempts"`
	Error       string     `json:"error"`
	Layer       int64      `json:"layer"`
	NotBefore   *time.Time `json:"not_before"`
	Created     *time.Time `json:"created"`
	Ended       *time.Time `json:"ended"`
}

// Underway tells whether the job can be cancelled.
func (j jobRow) Underway() bool { return j.State == "waiting" || j.State == "running" }

// Again tells whether the layer of a failed parse can be parsed again.
func (j jobRow) Again() bool { return j.State == "failed" && j.Layer != 0 }

// jobList is the page of the queue.
type jobList struct {
	Items  []jobRow `json:"items"`
	State  string   `json:"-"`
	States []string `json:"-"`
}

// mostJobs is how many jobs are listed, the newest first.
const mostJobs = 200

func (a *Admin) jobs(w http.ResponseWriter, r *http.Request) error {
	p := jobList{State: r.URL.Query().Get("state"), States: []string{"waiting", "running", "failed", "done", "cancelled"}}
	if !slices.Contains(p.States, p.State) {
		p.State = ""
	}
	query := url.Values{"limit": {strconv.Itoa(mostJobs)}}
	if p.State != "" {
		query.Set("state", p.State)
	}
	if err := a.call(r, http.MethodGet, "/api/v1/jobs?"+query.Encode(), nil, &p); err != nil {
		return err
	}
	f := frame{Title: "Jobs", Page: p}
	if slices.ContainsFunc(p.Items, jobRow.Underway) {
		f.Refresh = 5
	}
	return a.show(w, r, "jobs", f)
}

func (a *Admin) cancelJob(w http.ResponseWriter, r *http.Request) error {
	if err := a.call(r, http.MethodPost, "/api/v1/jobs/"+url.PathEscape(r.PathValue("job"))+"/cancel", nil, nil); err != nil {
		return err
	}
	goTo(w, r, "jobs")
	return nil
}

// settingList is the page of the settings in force.
type settingList struct {
	Items []struct {
		Env   string `json:"env"`
		Value string `json:"value"`
		From  string `json:"from"`
		Help  string `json:"help"`
	} `json:"items"`
}

func (a *Admin) settings(w http.ResponseWriter, r *http.Request) error {
	var p settingList
	if err := a.call(r, http.MethodGet, "/api/v1/settings", nil, &p); err != nil {
		return err
	}
	return a.show(w, r, "settings", frame{Title: "Settings", Page: p})
}

// healthPage is how the server is.
type healthPage struct {
	Version    string            `json:"version"`
	Started    time.Time         `json:"started"`
	Ready      bool              `json:"ready"`
	Problem    string            `json:"problem"`
	Facts      map[string]string `json:"facts"`
	FreeDisk   *int64            `json:"free_disk"`
	MinFree    int64             `json:"min_free_disk"`
	TileBytes  *int64            `json:"tile_bytes"`
	Revisions  int               `json:"revisions"`
	Layers     int               `json:"layers"`
	Jobs       map[string]int    `json:"jobs"`
	Tiles      map[string]int64  `json:"tiles"`
	CacheBytes int64             `json:"cache_bytes"`
	Memory     int64             `json:"memory"`
}

// Scarce tells whether no more source files fit on the disk.
func (p *healthPage) Scarce() bool { return p.FreeDisk != nil && *p.FreeDisk <= p.MinFree }

// tileOrigin is a share of the tiles that were answered.
type tileOrigin struct {
	Name, What string
	Count      int64
	Share      float64
}

// Answered are the tiles that were answered, by where they were taken from.
func (p *healthPage) Answered() (out []tileOrigin) {
	total := int64(0)
	for _, n := range p.Tiles {
		total += n
	}
	for _, o := range []tileOrigin{
		{Name: "client", What: "The browser had it still"},
		{Name: "cache", What: "From the memory of this server"},
		{Name: "shared", What: "Drawn for another request at the same moment"},
		{Name: "drawn", What: "Drawn"},
		{Name: "empty", What: "Nothing is stored there"},
	} {
		if o.Count = p.Tiles[o.Name]; total > 0 {
			o.Share = float64(o.Count) / float64(total)
		}
		out = append(out, o)
	}
	return out
}

func (a *Admin) health(w http.ResponseWriter, r *http.Request) error {
	var p healthPage
	if err := a.call(r, http.MethodGet, "/api/v1/status", nil, &p); err != nil {
		return err
	}
	return a.show(w, r, "health", frame{Title: "Health", Page: &p})
}
