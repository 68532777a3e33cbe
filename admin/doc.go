// Package admin is the web admin: pages to sign in, to upload rasters and watch them
// being parsed, and to look after layers.
//
// The pages are a client of the API: they ask the handler of package server, in the same
// process and with the credentials of the browser's request, so that what may be done and
// what is wrong with a form is said in one place. All pages work without JavaScript;
// with it uploads can be interrupted, and the state of a parse is shown as it changes.
//
//	api, err := server.New(server.Config{Store: st, Auth: users})
//	pages, err := admin.New(admin.Config{API: api, Auth: users, Accounts: users})
//	mux.Handle("/raster/", http.StripPrefix("/raster", api))
//	mux.Handle("/raster/admin/", http.StripPrefix("/raster/admin", pages))
package admin
