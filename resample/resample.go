// Package resample makes new pixels from old ones: a warp through a mesh of
// places ([Warp]) and the 2x2 reduction from one zoom to the next lower
// ([Reduce]). Validity is respected throughout: invalid pixels never leak into
// valid ones, and discrete values never blend.
package resample
