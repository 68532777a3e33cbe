#!/bin/bash
# Installs what building (deps.sh build) or testing (deps.sh test) needs and
# this machine does not have, with the system's package manager. Root rights
# are asked for only when something is missing.
set -euo pipefail

missing=()
need() { # need PACKAGES CHECK...: the packages unless the check succeeds
  local packages=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=($packages)
}
have() { command -v "$1"; }
has_postgis() { compgen -G '/usr/lib/postgresql/*/bin/initdb' && compgen -G '/usr/share/postgresql/*/extension/postgis_raster.control'; }
# Another python3 may come first on the path; these belong to the system's.
has_python_gdal() { /usr/bin/python3 -c 'from osgeo import gdal_array'; }
has_qgis() { /usr/bin/python3 -c 'import qgis.core'; }

if ! have go >/dev/null; then
  echo "Go is missing: install 1.26 or newer from https://go.dev/dl/" >&2
  exit 1
fi

need "gcc libc6-dev" have gcc
need pkg-config have pkg-config
need libgdal-dev pkg-config --exists gdal
have npm >/dev/null || need "nodejs npm" have npm
if [[ ${1:-build} == test ]]; then
  need gdal-bin have gdalwarp
  need curl have curl
  need jq have jq
  need nginx-light test -x /usr/sbin/nginx
  need pgbouncer have pgbouncer
  need "postgresql postgresql-postgis" has_postgis
  need postgis have raster2pgsql
  need python3-gdal has_python_gdal
  need python3-qgis has_qgis
  have google-chrome >/dev/null || need chromium have chromium
fi

if ((${#missing[@]} == 0)); then
  exit 0
fi
if ! have apt-get >/dev/null; then
  echo "These are missing (Debian's names): ${missing[*]}" >&2
  echo "Install what your system calls them and try again." >&2
  exit 1
fi
as_root=()
if ((EUID != 0)); then
  if ! have sudo >/dev/null; then
    echo "As root, run: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "Installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
