package rasterbase

// LayerFormula makes a layer of a formula over bands of other layers: it has no
// source, no parse and no tiles of its own, and its pixels are computed when they
// are read.
type LayerFormula struct {
	Text string // in the language of package algebra
	// Inputs has one input for each variable of Text, and no others, in the order
	// in which the maker of the layer named them.
	Inputs []FormulaInput
	// Grid names the input whose own pixels are the layer's where no zoom is asked
	// for; the others are looked up at the centres of these. Empty: the grids of
	// all inputs nest in one CRS, and the finest of them is the layer's, or else
	// the layer can be read at zooms only.
	Grid string
}

// FormulaInput is a band of a layer under the name of a variable.
type FormulaInput struct {
	Name  string
	Layer LayerID
	Band  int // from 0
}
