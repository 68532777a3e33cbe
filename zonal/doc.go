// Package zonal counts: pixels per value, class or bin, and statistics, of any
// coverage, whole or inside geometries.
//
// [ValueCount] answers for one geometry. [Place] and [Count] answer for many at once,
// and for several coverages of one grid with the geometry's work done once.
//
// What a geometry holds whole is answered from the summaries that the store keeps of
// tiles and of pages of tiles; pixels are read of those tiles alone that its edge
// passes through. That holds for counts by value, and for count, sum, mean, standard
// deviation, least and greatest. Other answers, and those of formulas, read all
// pixels; [Made] says how each answer was made. Nothing is approximated unless the
// answer says so, with the bound.
package zonal
