package legend

import "math"

// maxSamples is how many values or bins natural breaks are found among. More are
// pooled with their neighbours first.
const maxSamples = 4096

// naturalBreaks divides samples into n classes so that the sum of squared
// deviations from the mean of their class is least, and gives where all but the
// first begin: W. D. Fisher, "On grouping for maximum homogeneity", 1958, which
// G. F. Jenks brought to maps. The best start of the last class never falls when
// samples are added at the end, so that each row of the table is found by
// halving, in n times m times log m steps for m samples.
func naturalBreaks(samples []sample, n int) []float64 {
	samples = pool(samples)
	m := len(samples)
	n = min(n, m)
	t := newJenks(samples)
	starts := make([][]int16, n) // starts[k][j]: where the last of k+1 classes of the first j+1 samples begins
	for k := range starts {
		starts[k] = make([]int16, m)
		if k == 0 {
			for j := range m {
				t.now[j] = t.cost(0, j)
			}
			continue
		}
		t.before, t.now = t.now, t.before
		t.row(starts[k], k, m-1, k, m-1)
	}
	breaks := make([]float64, n-1)
	end := m - 1
	for k := n - 1; k > 0; k-- {
		start := int(starts[k][end])
		breaks[k-1] = samples[start].low
		end = start - 1
	}
	return breaks
}

// pool joins neighbours when there are too many samples.
func pool(samples []sample) []sample {
	each := (len(samples) + maxSamples - 1) / maxSamples
	if each <= 1 {
		return samples
	}
	var out []sample
	for i := 0; i < len(samples); i += each {
		group := samples[i:min(i+each, len(samples))]
		s := sample{low: group[0].low, high: group[len(group)-1].high}
		for _, g := range group {
			s.count += g.count
		}
		out = append(out, s)
	}
	return out
}

// jenks is sums over the first samples, and two rows of least deviations.
type jenks struct {
	weight, sum, square []float64
	before, now         []float64
}

func newJenks(samples []sample) *jenks {
	m := len(samples)
	t := &jenks{
		weight: make([]float64, m+1), sum: make([]float64, m+1), square: make([]float64, m+1),
		before: make([]float64, m), now: make([]float64, m),
	}
	// Values count from the middle of all, in parts of their span: sums of squares
	// neither overflow nor cancel.
	low, high := samples[0].middle(), samples[m-1].middle()
	for i, s := range samples {
		v := 0.0
		if low < high {
			v = share(low, high, s.middle()) - 0.5
		}
		t.weight[i+1] = t.weight[i] + s.count
		t.sum[i+1] = t.sum[i] + s.count*v
		t.square[i+1] = t.square[i] + s.count*v*v
	}
	return t
}

// cost is the sum of squared deviations of samples i to j.
func (t *jenks) cost(i, j int) float64 {
	w, s := t.weight[j+1]-t.weight[i], t.sum[j+1]-t.sum[i]
	return math.Max(0, t.square[j+1]-t.square[i]-s*s/w)
}

// row finds the best starts for the samples that end at from to to, knowing that
// they lie between low and high.
func (t *jenks) row(starts []int16, from, to, low, high int) {
	if from > to {
		return
	}
	j := (from + to) / 2
	best, at := math.Inf(1), low
	for i := low; i <= min(j, high); i++ {
		if c := t.before[i-1] + t.cost(i, j); c < best {
			best, at = c, i
		}
	}
	t.now[j], starts[j] = best, int16(at)
	t.row(starts, from, j-1, low, at)
	t.row(starts, j+1, to, at, high)
}
