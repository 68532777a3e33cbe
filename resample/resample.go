// Package resample makes new pixels from old ones: a warp through a list of
// places ([Warp]) and the 2x2 reduction from one zoom to the next lower
// ([Reduce]). Validity is respected throughout: invalid pixels never leak into
// valid ones, and discrete values never blend.
//
// The warp follows gdalwarp with an exact transformer (-et 0) and a pinned
// kernel width (-wo XSCALE=… -wo YSCALE=…). What it writes for a target pixel
// depends on the pixel's place and on the source alone, bit for bit: parts of
// the target, and windows of the source, can be worked on separately and show
// no seam.
package resample
