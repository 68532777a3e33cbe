// Package djangoraster takes over the database of an application that used
// django-raster: its layers with their ids, their legends and semantics, and,
// without parsing anything anew, their tiles.
//
//	report, err := djangoraster.Import(ctx, pool, store, djangoraster.Options{Parser: parser})
//
// Databases of all its versions are read. Early ones kept base tiles; layers of
// late ones have only the pyramid, and so rasterbase.Revision.NoBase.
package djangoraster
