# What these targets need: Go and make. lint and e2e also need Python with
# e2e/requirements.txt, cdk and e2e Node.js; deploy needs the SAM CLI, and with
# enqueue, redrive and follow an AWS account.

STACK  ?= refresh-poller
# samconfig.toml's environment, for deploy.
CONFIG ?= default


.DEFAULT_GOAL := help
# -race needs a C compiler, which a machine with only Go and make lacks.
RACE := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)
LOCAL := bin/refresh-poller

##@ For those who use it
.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^##@ / { print substr($$0, 5) ":" } /^[a-z0-9A-Z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: $(LOCAL) ## follow simulated jobs on an embedded queue and bus
	@$(LOCAL) demo

# The variables reach the program through the environment, unexpanded: a token
# may hold a $, and a command line can be read by others.
override JOB_ID := $(value JOB_ID)
override CLUSTER_ENDPOINT := $(value CLUSTER_ENDPOINT)
override CLUSTER_TOKEN := $(value CLUSTER_TOKEN)
export JOB_ID CLUSTER_ENDPOINT CLUSTER_TOKEN

.PHONY: watch
watch: $(LOCAL) ## follow real jobs: JOB_ID=… CLUSTER_ENDPOINT=… CLUSTER_TOKEN=…
	@$(LOCAL) watch

# Another make may be building or running it, and go build may write in place
# (moveOrCopyFile in cmd/go/internal/work/shell.go), where mv renames. With the
# copy, go build sees that there is nothing to do.
.PHONY: $(LOCAL)
$(LOCAL):
	@[ -e $@ ] || echo "The first start downloads the Go modules that it needs, and compiles." >&2
	@new=$@.$$$$; cp $@ $$new 2> /dev/null; \
	go build -o $$new ./cmd/refresh-poller && mv -f $$new $@ || { rm -f $$new; exit 1; }

NEEDS_SAM = @command -v sam > /dev/null || { echo "make $@ needs the SAM CLI: docs/deploy.md says which"; exit 1; }
.PHONY: deploy
deploy: ## sam build and sam deploy: CONFIG=default, dev or prod
	$(NEEDS_SAM)
	sam build --config-env $(CONFIG)
	sam deploy --config-env $(CONFIG)

# The path is absolute, for SAM looks for another one beside the template. Without
# the trap a /bin/sh that is bash would go on with the next stack after Ctrl-C.
STACKS ?= $(sort $(basename $(notdir $(wildcard stacks/*.toml))))
.PHONY: deploy-all
deploy-all: ## deploy a stack for each stacks/*.toml, or STACKS="a b"
	$(NEEDS_SAM)
	@for stack in $(or $(strip $(STACKS)),NAME); do [ -e "stacks/$$stack.toml" ] || { \
	  echo "There is no stacks/$$stack.toml: docs/deploy.md#several-clusters says what goes into one." >&2; exit 2; \
	}; done
	sam build
	@trap 'exit 130' INT; failed=; for stack in $(STACKS); do \
	  echo "sam deploy --config-file stacks/$$stack.toml"; \
	  sam deploy --config-file "$(CURDIR)/stacks/$$stack.toml" || failed="$$failed $$stack"; \
	done; [ -z "$$failed" ] || { echo "Not deployed:$$failed" >&2; exit 1; }

.PHONY: enqueue
enqueue: $(LOCAL) ## start a watch in the stack: JOB_ID=…, STACK=refresh-poller
	@$(LOCAL) enqueue --stack "$(STACK)"

.PHONY: redrive
redrive: $(LOCAL) ## move all dead letters back to the queue: STACK=refresh-poller
	@$(LOCAL) redrive --stack "$(STACK)" --yes

.PHONY: follow
follow: $(LOCAL) ## follow the watches of the deployed stack: STACK=refresh-poller
	@$(LOCAL) follow --stack "$(STACK)"

##@ For those who change it

# A module of its own: what it needs, the product does not.
TOOLS := cmd/tools

# Many tests of the program wait for real seconds, so more of them run at once than
# there are cores.
.PHONY: test
test: ## run the tests and print the coverage of internal
	go test $(RACE) -shuffle=on -parallel 8 -coverpkg=./internal/... -coverprofile=coverage.out ./...
	go -C $(TOOLS) test $(RACE) -shuffle=on ./...
	@go tool cover -func=coverage.out | awk '/^total:/ { sub("%", "", $$3); print "statement coverage of internal: " $$3 " %"; exit $$3 < 90 }'

# One target runs at a time: go test -fuzz takes one.
FUZZ_SECONDS ?= 20
.PHONY: fuzz
fuzz: ## run each fuzz test for FUZZ_SECONDS (20)
	@set -e; for package in $$(go list ./...); do \
	  for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
	    echo "$$package $$target"; go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZ_SECONDS)s $$package; \
	  done; \
	done

# GovCloud has no AWS::Events::Connection.
NOT_IN_GOVCLOUD := examples/step-functions/template.yaml
# Neither GovCloud nor China has AWS::Chatbot.
ONLY_IN_AWS := examples/failures-to-slack/template.yaml
.PHONY: lint
lint: ## gofmt, vet, staticcheck, cfn-lint
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "not formatted by gofmt: $$unformatted"; exit 1; }
	go vet -tags e2e ./...
	go -C $(TOOLS) vet -tags cdk ./...
	$$(go -C $(TOOLS) tool -n staticcheck) -tags e2e ./...
	go -C $(TOOLS) tool staticcheck -tags cdk ./...
	@command -v cfn-lint > /dev/null || { echo "make lint needs cfn-lint: pip install -r e2e/requirements.txt"; exit 1; }
	cfn-lint template.yaml examples/*/template.yaml
	cfn-lint -r us-gov-west-1 cn-north-1 -t template.yaml $(filter-out $(NOT_IN_GOVCLOUD) $(ONLY_IN_AWS),$(wildcard examples/*/template.yaml))
	cfn-lint -r cn-north-1 -t $(NOT_IN_GOVCLOUD)

# The second SQS. npm notes in node_modules what it has installed.
FAUXQS := e2e/fauxqs/node_modules/.package-lock.json
$(FAUXQS): e2e/fauxqs/package-lock.json
	@command -v npm > /dev/null || { echo "make e2e needs Node.js 20 or newer, with npm"; exit 1; }
	npm ci --prefix e2e/fauxqs --ignore-scripts --no-audit --no-fund

# FAULT_SEED=… breaks the calls that an earlier run broke, which printed it.
export PYTHON ?= python3
.PHONY: e2e
e2e: $(FAUXQS) ## deploy the template into AWS emulators and drive it
	@$(PYTHON) -c 'import boto3, jsonpath_ng, moto.server, samtranslator' 2> /dev/null || { echo "make e2e needs moto_server: $(PYTHON) -m pip install -r e2e/requirements.txt"; exit 1; }
	@command -v aws > /dev/null || { echo "make e2e needs the AWS CLI: pip install -r e2e/requirements.txt"; exit 1; }
	go test -tags e2e -count=1 -timeout 15m -v ./e2e

.PHONY: cdk
cdk: package ## synthesise examples/cdk, and compare it with the template
	@command -v npm > /dev/null || { echo "make cdk needs Node.js 20 or newer, with npm"; exit 1; }
	npm ci --prefix examples/cdk --ignore-scripts --no-audit --no-fund
	go -C $(TOOLS) test -tags cdk -count=1 -run CDK ./release

.PHONY: bench
bench: build ## measure a batch beside its bare calls, start, memory, package
	@$(MAKE) --no-print-directory build-PollerFunction ARTIFACTS_DIR=bin/bench GOARCH=$$(go env GOARCH)
	@go -C $(TOOLS) run ./bench "$(CURDIR)/bin/PollerFunction/bootstrap" "$(CURDIR)/bin/bench/bootstrap"

SOAK_BATCHES ?= 100000
.PHONY: soak
soak: ## check that memory stays flat over SOAK_BATCHES (100000)
	@$(MAKE) --no-print-directory build-PollerFunction ARTIFACTS_DIR=bin/bench GOARCH=$$(go env GOARCH)
	@go -C $(TOOLS) run ./bench -soak $(SOAK_BATCHES) "$(CURDIR)/bin/bench/bootstrap"

# LAMBDA_UNDER may be a program that limits the one behind it, as systemd-run does.
.PHONY: lambda
lambda: ## treat the poller's binary as Lambda may: frozen, killed, slow
	LAMBDA_FROZEN=6m LAMBDA_TIMEOUT=30s go test -count=1 -timeout 15m -v -run 'Frozen|Killed|Slow|Memory' ./functions/poller

.PHONY: load
load: ## follow 10 000 jobs in simulated time: limit, fairness, ends
	LOAD_JOBS=10000 go test -count=1 -v -run UnderLoad ./internal/poller

MODEL_CHECKS ?= 5000
.PHONY: model
model: ## let chance look for a lost watch in MODEL_CHECKS (5000) runs
	go test -count=1 -v -run NoSchedule ./internal/poller -rapid.checks=$(MODEL_CHECKS)

EXPLORE_FAULTS ?= 2
.PHONY: explore
explore: ## run every schedule with at most EXPLORE_FAULTS (2) faults
	EXPLORE_FAULTS=$(EXPLORE_FAULTS) go test -count=1 -timeout 6h -v -run 'EverySchedule|TheExplorer' ./internal/poller

PACKAGES ?=
.PHONY: mutate
mutate: ## find what the tests do not notice, in all PACKAGES or some
	@go -C $(TOOLS) run ./mutate "$(CURDIR)" $(PACKAGES)

.PHONY: simulate
simulate: ## compare the schedule with others, and draw docs/schedule.svg
	@go -C $(TOOLS) run ./simulate "$(CURDIR)/docs/schedule.svg"

.PHONY: price
price: ## print what a poll and a month cost, and what else would
	@go -C $(TOOLS) run ./price "$(CURDIR)/docs/schedule.md"

.PHONY: record
record: $(LOCAL) ## record the demo, as docs/demo.svg
	@go -C $(TOOLS) run ./record "$(CURDIR)/$(LOCAL)" "$(CURDIR)/docs/demo.svg"

.PHONY: build
build: ## build the functions as they are deployed, in bin
	@$(MAKE) --no-print-directory build-PollerFunction ARTIFACTS_DIR=bin/PollerFunction
	@$(MAKE) --no-print-directory build-ResumeFunction ARTIFACTS_DIR=bin/ResumeFunction

.PHONY: package
package: ## build the stack that deploys without a build, in dist/stack
	@rm -rf dist/stack
	@go -C $(TOOLS) run ./release -stack "$(CURDIR)/dist"

TAG ?=
.PHONY: release
release: ## build a release's files, in dist; TAG=…, if any, is checked
	@rm -rf dist
	@go -C $(TOOLS) run ./release -tag "$(TAG)" "$(CURDIR)/dist"

# sam build calls these; GOARCH=amd64 on the command line changes the target.
GOARCH = arm64
# Or make would hand this one on to every go command.
unexport GOARCH
build-PollerFunction: COMMAND = poller
build-ResumeFunction: COMMAND = resume
# -buildvcs=false: SAM builds from a copy without .git, which is to give the same.
.PHONY: build-PollerFunction build-ResumeFunction
build-PollerFunction build-ResumeFunction:
	mkdir -p "$(ARTIFACTS_DIR)"
	CGO_ENABLED=0 GOOS=linux GOARCH=$(GOARCH) go build -tags lambda.norpc -trimpath -buildvcs=false -ldflags="-s -w" -o "$(ARTIFACTS_DIR)/bootstrap" ./functions/$(COMMAND)
