package picture

import (
	"math"
	"strconv"
	"strings"
)

// tick is a mark at a bar.
type tick struct {
	at   float64 // share of the bar
	text string
}

// ticksOf are marks at the ends of a bar, and between them those at round numbers
// whose texts do not run into those of the ends.
func ticksOf(low, high, width, gap float64, measure func(string) float64) []tick {
	first, last := tick{0, endText(low, high-low)}, tick{1, endText(high, high-low)}
	var between []tick
	for _, t := range roundTicks(low, high, width, gap, measure) {
		switch {
		case t.at < 1e-9: // an end that is a round number is written as the others are
			first.text = t.text
		case t.at > 1-1e-9:
			last.text = t.text
		default:
			between = append(between, t)
		}
	}
	ticks := []tick{first}
	for _, t := range between {
		if apart([]tick{first, t, last}, width, gap, measure) {
			ticks = append(ticks, t)
		}
	}
	return append(ticks, last)
}

// endText writes the number at an end of a range: as [Number] does, and with more
// decimals where the ends of a narrow range would look alike.
func endText(v, span float64) string {
	a := math.Abs(v)
	if !(span > 0) || v == math.Trunc(v) || a < 1e-4 || a >= 1e9 {
		return Number(v)
	}
	decimals := 2 - int(math.Floor(math.Log10(span)))
	if decimals <= 3-int(math.Floor(math.Log10(a))) || decimals > 12 {
		return Number(v)
	}
	return trimmed(format(v, max(0, decimals)))
}

// trimmed is a number without zeros at the end of its decimals.
func trimmed(text string) string {
	if strings.Contains(text, ".") && !strings.ContainsAny(text, "e×") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// roundTicks are marks at multiples of 1, 2 or 5 times a power of ten, as many as
// fit into the width with the gap between their texts.
func roundTicks(low, high, width, gap float64, measure func(string) float64) []tick {
	if !(low < high) || math.IsInf(high-low, 0) {
		return nil
	}
	const most = 8
	power := math.Floor(math.Log10((high - low) / most))
	for e := power; e <= power+3; e++ {
		for _, m := range []float64{1, 2, 5} {
			ticks := ticksEvery(m, int(e), low, high)
			if ticks != nil && len(ticks) <= most && apart(ticks, width, gap, measure) {
				return ticks
			}
		}
	}
	return nil
}

// ticksEvery are marks at multiples of m times ten to the power of e. It is nil
// when these are too many, or too fine for the numbers.
func ticksEvery(m float64, e int, low, high float64) []tick {
	step := m * math.Pow10(e)
	first, last := math.Ceil(low/step-1e-9), math.Floor(high/step+1e-9)
	if !(last-first < 20) || math.Abs(first) > 1e12 || math.Abs(last) > 1e12 {
		return nil
	}
	ticks := []tick{}
	for i := first; i <= last; i++ {
		v := i * step
		at := math.Max(0, math.Min(1, (v-low)/(high-low)))
		ticks = append(ticks, tick{at, format(v, max(0, -e))})
	}
	return ticks
}

// apart reports whether the texts of ticks do not run into each other.
func apart(ticks []tick, width, gap float64, measure func(string) float64) bool {
	for i := 1; i < len(ticks); i++ {
		between := (ticks[i].at - ticks[i-1].at) * width
		if between < (measure(ticks[i].text)+measure(ticks[i-1].text))/2+gap {
			return false
		}
	}
	return true
}

// Number writes a value in about four digits.
func Number(v float64) string {
	a := math.Abs(v)
	if v == math.Trunc(v) || a == 0 || a < 1e-4 {
		return format(v, 0)
	}
	return trimmed(format(v, max(0, 3-int(math.Floor(math.Log10(a))))))
}

// format writes a number with so many decimals, a true minus, and commas between
// thousands from 10,000 on. Very large and small ones have an exponent.
func format(v float64, decimals int) string {
	a := math.Abs(v)
	var text string
	switch {
	case a != 0 && (a >= 1e9 || a < 1e-4) || v-v != 0:
		text = strconv.FormatFloat(a, 'g', 4, 64)
		if mantissa, exponent, ok := strings.Cut(text, "e"); ok {
			if strings.Contains(mantissa, ".") {
				mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
			}
			text = mantissa + "e" + strings.TrimPrefix(strings.Replace(exponent, "+0", "", 1), "+")
			text = strings.Replace(text, "e-0", "e-", 1)
		}
	default:
		text = grouped(strconv.FormatFloat(a, 'f', decimals, 64))
	}
	if v < 0 && strings.ContainsAny(text, "123456789I") {
		text = "−" + text
	}
	return text
}

// grouped puts commas between thousands of numbers with five digits and more.
func grouped(s string) string {
	whole, rest, point := strings.Cut(s, ".")
	if len(whole) < 5 {
		return s
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if point {
		return whole + "." + rest
	}
	return whole
}
