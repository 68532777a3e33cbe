package algebra

import "math"

// In a block of numbers a pixel is invalid when it is not finite. Every kernel
// keeps to that: from an operand that is not finite no finite result comes. For
// + - * it is so by itself. A finite number divided by an infinite one would be 0:
// x - x is 0 when x is finite and NaN otherwise, and taking it away from a result
// changes nothing else, not even the sign of a zero.
//
// The conversion in product keeps it from being fused with a sum, which would be
// rounded once in place of twice on some machines.

func product[T float](a, b T) T { return T(a * b) } //nolint:unconvert // it rounds, see above

func quotient[T float](a, b T) T { return a/b - (b - b) }

// arithmetic is a first b.
func arithmetic[T float](k kernel, dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	switch k {
	case kAdd:
		for i := range dst {
			dst[i] = a[i] + b[i]
		}
	case kSubtract:
		for i := range dst {
			dst[i] = a[i] - b[i]
		}
	case kMultiply:
		for i := range dst {
			dst[i] = a[i] * b[i]
		}
	case kDivide:
		for i := range dst {
			dst[i] = quotient(a[i], b[i])
		}
	}
}

// chain is (a first b) last c.
func chain[T float](first, last kernel, dst, a, b, c []T) {
	a, b, c = a[:len(dst)], b[:len(dst)], c[:len(dst)]
	switch first {
	case kAdd:
		chainSum(last, dst, a, b, c)
	case kSubtract:
		chainDifference(last, dst, a, b, c)
	case kMultiply:
		chainProduct(last, dst, a, b, c)
	case kDivide:
		chainQuotient(last, dst, a, b, c)
	}
}

func chainSum[T float](last kernel, dst, a, b, c []T) {
	a, b, c = a[:len(dst)], b[:len(dst)], c[:len(dst)]
	switch last {
	case kAdd:
		for i := range dst {
			dst[i] = a[i] + b[i] + c[i]
		}
	case kSubtract:
		for i := range dst {
			dst[i] = a[i] + b[i] - c[i]
		}
	case kMultiply:
		for i := range dst {
			dst[i] = (a[i] + b[i]) * c[i]
		}
	case kDivide:
		for i := range dst {
			dst[i] = quotient(a[i]+b[i], c[i])
		}
	}
}

func chainDifference[T float](last kernel, dst, a, b, c []T) {
	a, b, c = a[:len(dst)], b[:len(dst)], c[:len(dst)]
	switch last {
	case kAdd:
		for i := range dst {
			dst[i] = a[i] - b[i] + c[i]
		}
	case kSubtract:
		for i := range dst {
			dst[i] = a[i] - b[i] - c[i]
		}
	case kMultiply:
		for i := range dst {
			dst[i] = (a[i] - b[i]) * c[i]
		}
	case kDivide:
		for i := range dst {
			dst[i] = quotient(a[i]-b[i], c[i])
		}
	}
}

func chainProduct[T float](last kernel, dst, a, b, c []T) {
	a, b, c = a[:len(dst)], b[:len(dst)], c[:len(dst)]
	switch last {
	case kAdd:
		for i := range dst {
			dst[i] = product(a[i], b[i]) + c[i]
		}
	case kSubtract:
		for i := range dst {
			dst[i] = product(a[i], b[i]) - c[i]
		}
	case kMultiply:
		for i := range dst {
			dst[i] = a[i] * b[i] * c[i]
		}
	case kDivide:
		for i := range dst {
			dst[i] = quotient(a[i]*b[i], c[i])
		}
	}
}

func chainQuotient[T float](last kernel, dst, a, b, c []T) {
	a, b, c = a[:len(dst)], b[:len(dst)], c[:len(dst)]
	switch last {
	case kAdd:
		for i := range dst {
			dst[i] = quotient(a[i], b[i]) + c[i]
		}
	case kSubtract:
		for i := range dst {
			dst[i] = quotient(a[i], b[i]) - c[i]
		}
	case kMultiply:
		for i := range dst {
			dst[i] = quotient(a[i], b[i]) * c[i]
		}
	case kDivide:
		for i := range dst {
			dst[i] = quotient(quotient(a[i], b[i]), c[i])
		}
	}
}

// tail is c last (a first b), for a difference and a quotient: in sums and
// products the order makes no difference.
func tail[T float](first, last kernel, dst, a, b, c []T) {
	a, b, c = a[:len(dst)], b[:len(dst)], c[:len(dst)]
	switch {
	case first == kAdd && last == kSubtract:
		for i := range dst {
			dst[i] = c[i] - (a[i] + b[i])
		}
	case first == kSubtract && last == kSubtract:
		for i := range dst {
			dst[i] = c[i] - (a[i] - b[i])
		}
	case first == kMultiply && last == kSubtract:
		for i := range dst {
			dst[i] = c[i] - product(a[i], b[i])
		}
	case first == kDivide && last == kSubtract:
		for i := range dst {
			dst[i] = c[i] - quotient(a[i], b[i])
		}
	case first == kAdd:
		for i := range dst {
			dst[i] = quotient(c[i], a[i]+b[i])
		}
	case first == kSubtract:
		for i := range dst {
			dst[i] = quotient(c[i], a[i]-b[i])
		}
	case first == kMultiply:
		for i := range dst {
			dst[i] = quotient(c[i], product(a[i], b[i]))
		}
	default:
		for i := range dst {
			dst[i] = quotient(c[i], quotient(a[i], b[i]))
		}
	}
}

// paired tells which shapes of (a first b) last (c second d) pair knows.
func paired(first, last, second kernel) bool {
	sums := first <= kSubtract && second <= kSubtract
	products := first == kMultiply && second == kMultiply
	return sums && last >= kMultiply || products && last <= kSubtract
}

// pair is (a first b) last (c second d).
func pair[T float](first, last, second kernel, dst, a, b, c, d []T) {
	a, b, c, d = a[:len(dst)], b[:len(dst)], c[:len(dst)], d[:len(dst)]
	switch {
	case last == kAdd:
		for i := range dst {
			dst[i] = product(a[i], b[i]) + product(c[i], d[i])
		}
	case last == kSubtract:
		for i := range dst {
			dst[i] = product(a[i], b[i]) - product(c[i], d[i])
		}
	case last == kMultiply:
		pairProduct(first, second, dst, a, b, c, d)
	default:
		pairQuotient(first, second, dst, a, b, c, d)
	}
}

func pairProduct[T float](first, second kernel, dst, a, b, c, d []T) {
	a, b, c, d = a[:len(dst)], b[:len(dst)], c[:len(dst)], d[:len(dst)]
	switch {
	case first == kAdd && second == kAdd:
		for i := range dst {
			dst[i] = (a[i] + b[i]) * (c[i] + d[i])
		}
	case first == kAdd:
		for i := range dst {
			dst[i] = (a[i] + b[i]) * (c[i] - d[i])
		}
	case second == kAdd:
		for i := range dst {
			dst[i] = (a[i] - b[i]) * (c[i] + d[i])
		}
	default:
		for i := range dst {
			dst[i] = (a[i] - b[i]) * (c[i] - d[i])
		}
	}
}

func pairQuotient[T float](first, second kernel, dst, a, b, c, d []T) {
	a, b, c, d = a[:len(dst)], b[:len(dst)], c[:len(dst)], d[:len(dst)]
	switch {
	case first == kAdd && second == kAdd:
		for i := range dst {
			dst[i] = quotient(a[i]+b[i], c[i]+d[i])
		}
	case first == kAdd:
		for i := range dst {
			dst[i] = quotient(a[i]+b[i], c[i]-d[i])
		}
	case second == kAdd:
		for i := range dst {
			dst[i] = quotient(a[i]-b[i], c[i]+d[i])
		}
	default:
		for i := range dst {
			dst[i] = quotient(a[i]-b[i], c[i]-d[i])
		}
	}
}

func sum4[T float](dst, a, b, c, d []T) {
	a, b, c, d = a[:len(dst)], b[:len(dst)], c[:len(dst)], d[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + b[i] + c[i] + d[i]
	}
}

func sum5[T float](dst, a, b, c, d, e []T) {
	a, b, c, d, e = a[:len(dst)], b[:len(dst)], c[:len(dst)], d[:len(dst)], e[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + b[i] + c[i] + d[i] + e[i]
	}
}

// powers, angles, smaller and larger are functions of two numbers.

func powers[T float](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		x, y := a[i], b[i]
		dst[i] = T(power(float64(x), float64(y))) - (x - x) - (y - y)
	}
}

func angles[T float](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		y, x := a[i], b[i]
		dst[i] = T(math.Atan2(float64(y), float64(x))) - (x - x) - (y - y)
	}
}

func smaller[T float](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		x, y := a[i], b[i]
		dst[i] = min(x, y) - (x - x) - (y - y)
	}
}

func larger[T float](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		x, y := a[i], b[i]
		dst[i] = max(x, y) - (x - x) - (y - y)
	}
}

func negative[T float](dst, a []T) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = -a[i]
	}
}

// call is a function of one number. Those that a processor has an instruction for
// are not called: of what is not finite they give nothing finite.
func call[T float](fn *function, name string, dst, a []T) {
	a = a[:len(dst)]
	switch name {
	case "abs":
		for i := range dst {
			dst[i] = T(math.Abs(float64(a[i])))
		}
	case "sqrt":
		for i := range dst {
			dst[i] = T(math.Sqrt(float64(a[i])))
		}
	case "floor":
		for i := range dst {
			dst[i] = T(math.Floor(float64(a[i])))
		}
	case "ceil":
		for i := range dst {
			dst[i] = T(math.Ceil(float64(a[i])))
		}
	case "int":
		for i := range dst {
			dst[i] = T(math.Trunc(float64(a[i])))
		}
	default:
		one := fn.one
		for i := range dst {
			x := a[i]
			dst[i] = T(one(float64(x))) - (x - x)
		}
	}
}

// rows is a function of many numbers.
func rows[T float](k manyKind, dst []T, args [][]T) {
	var buffer [MaxArguments]float64
	v := buffer[:len(args)]
	for i := range dst {
		check := T(0)
		for j, a := range args {
			x := a[i]
			v[j] = float64(x)
			check += x - x
		}
		dst[i] = T(k.of(v)) - check
	}
}
