# make help says what can be made.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

GO ?= go
ARGS ?=
BENCH ?= .
FUZZTIME ?= 20s

WEB := server/web admin/web
web_sources = $(wildcard $(1)/package.json $(1)/package-lock.json $(1)/*.mjs) $(shell find $(1)/src -type f 2>/dev/null)
LINT := $(GO) tool -modfile=tools/go.mod golangci-lint

# Without a readable git repository a build cannot note its commit.
ifneq ($(shell git rev-parse HEAD >/dev/null 2>&1 && echo yes),yes)
export GOFLAGS := $(GOFLAGS) -buildvcs=false
endif

# Races are looked for in everything but SQLite, which is C in the form of Go, and
# the codecs: under the detector these two took most of the time of all tests, and
# what they share with other goroutines is behind our own locks.
RACE := -race -gcflags='modernc.org/...=-race=false' -gcflags='github.com/klauspost/compress/...=-race=false'

say = @printf '\033[1m== %s\033[0m\n' "$(1)"

.PHONY: help run build assets deps test-deps test unit nocgo check vet lint format tidy bench memory fuzz clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## Install what is missing, build, and serve the demo on http://127.0.0.1:8080/ (ARGS="--addr :9000" adds flags)
	@exec ./bin/rasterbase serve --demo $(ARGS)

build: deps assets ## Build bin/rasterbase
	$(call say,building bin/rasterbase)
	@$(GO) build -o bin/rasterbase ./cmd/rasterbase

assets: $(WEB:%=%/dist/map.js) ## Build the scripts of the pages, if their sources changed

server/web/dist/map.js: $(call web_sources,server/web) legend/colormaps.txt
admin/web/dist/map.js: $(call web_sources,admin/web) server/web/src/basemap.js
$(WEB:%=%/dist/map.js):
	$(call say,building the scripts of $(@:/web/dist/map.js=))
	@cd $(@:/dist/map.js=) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && npm run --silent build
	@touch $@

deps: ## Install what building needs and is missing (asks for root only then)
	@tools/deps.sh build

test-deps:
	$(call say,looking for what the tests need)
	@tools/deps.sh test

test: test-deps assets check nocgo unit ## Check and test everything

# Programs with the race detector sleep for a second before they end, unless they
# are told not to.
unit: export GORACE ?= atexit_sleep_ms=0
# What a test would skip without is required here: nothing is skipped unseen.
unit: export RASTERBASE_TEST_REQUIRE ?= chromium,gdal,nginx,node,pgbouncer,postgis,qgis,s3
# Many tests wait for databases, browsers and timers: more packages are tested at
# once than there are processors.
unit:
	$(call say,testing the examples)
	@cd examples && $(GO) test $(RACE) -timeout 20m ./...
	$(call say,testing with the race detector)
	@$(GO) test $(RACE) -p 4 -timeout 20m ./...

nocgo:
	$(call say,building without cgo)
	@CGO_ENABLED=0 $(GO) build ./...
	@CGO_ENABLED=0 $(GO) vet ./cmd/... ./gdal/...

check: format tidy vet lint ## Look for mistakes without running anything

format:
	$(call say,looking for files that gofmt would change)
	@test -z "$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go') | tee /dev/stderr)"

tidy:
	$(call say,looking whether go.mod is tidy)
	@$(GO) mod tidy -diff
	@cd examples && $(GO) mod tidy -diff

vet:
	$(call say,go vet)
	@$(GO) vet ./...
	@cd examples && $(GO) vet ./...

lint:
	$(call say,golangci-lint)
	@$(LINT) run
	@cd examples && $(GO) tool -modfile=../tools/go.mod golangci-lint run

bench: deps ## Run the benchmarks (BENCH=Tile runs some)
	@$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...

memory: deps ## Import a generated 20,000 x 20,000 raster (1.6 GB) and print the peak memory
	@RASTERBASE_TEST_SIDE=20000 $(GO) test -count=1 -timeout 20m -v -run TestAParseStaysWithinItsMemory ./cmd/rasterbase

fuzz: deps ## Fuzz every parser and codec for FUZZTIME=20s each
	@tools/fuzz.sh $(FUZZTIME)

clean: ## Remove what was built; the data stay
	@for w in $(WEB); do rm -rf bin $$w/node_modules $$w/dist/*.js $$w/dist/*.css $$w/dist/*.json; done
