package ingest

// tileBytes is about how many bytes a tile of some band sets takes, with a byte
// a pixel and band for validity.
func (r *run) tileBytes(sets []int) int {
	n := 0
	for _, set := range sets {
		for _, band := range r.rev.BandSet(set) {
			n += r.rev.Bands[band].PixelType.Size() + 1
		}
	}
	return n * r.rev.TileSize * r.rev.TileSize
}

// setGroups cuts the band sets into groups whose tiles take at most so many
// bytes, one set at least: rasters of many bands are worked through group by
// group, so that memory does not grow with them.
func (r *run) setGroups(most int) [][]int {
	var groups [][]int
	for set := range r.rev.BandSets() {
		if last := len(groups) - 1; last >= 0 && r.tileBytes(append(groups[last], set)) <= most {
			groups[last] = append(groups[last], set)
			continue
		}
		groups = append(groups, []int{set})
	}
	return groups
}
