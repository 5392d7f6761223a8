# The short way to everything. Each target first installs the Debian packages that it needs (tools/install-deps
# says which, and calls apt only when one is missing), then builds with CMake and Ninja.
#
#   make run        build, start on loopback, deliver real events to a real receiver, stay up until Ctrl-C
#   make demo       the same, ends by itself; fails if one step fails
#   make test       everything with sanitizers; the last line is "N passed, N failed, N skipped"
#   make tsan       what threads share, and the server as a whole, with the thread sanitizer
#   make crash      200 rounds of kill -9 under load, judged by an independent checker
#   make chaos      20 faults of three nodes on a private PostgreSQL, judged by the same checker (CYCLES=, SEED=)
#   make cluster    three nodes on a private PostgreSQL, one of them killed in the middle: what is lost, what comes twice
#   make mutants    plants deliberate faults one at a time; each must be caught by the test that it names (ONLY=)
#   make bench      one table of figures for this machine
#   make fuzz       10 million executions of every fuzz target (RUNS=, ONLY=, JOBS=)
#   make pairs      a million random queries of filters, compared with two other implementations of JSONPath
#   make screenshots  pictures of every page of the dashboard, in both themes and three widths, in build/screenshots
#   make install    PREFIX=/usr/local, DESTDIR= for packagers, BRIDGE=ON for the bridge too
#   make bridge     tenterhook-bridge, which takes messages out of brokers (docs/bridge.md), in build/release
#   make image      a container image without registry and shell, with SBOM and checksums, in build/image; runs test_image.py
#                   (ARCH=arm64: for another architecture, built here and run by qemu)
#   make first      how long from a client's built package to its first verified delivery, in each language
#   make chart      renders, lints and checks the Helm chart with Helm's and Kubernetes' own Go packages
#   make deb        the Debian packages of the committed tree, in build/deb
#   make help       this text

SHELL := /bin/bash
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
PYTHON := /usr/bin/python3
# CI sets WERROR=ON; a user's newer compiler must not break the build with a new warning.
WERROR ?= OFF
# Build folders. Other compilers get their own: make test CC=clang TEST_DIR=build/test-clang
RELEASE_DIR ?= build/release
TEST_DIR ?= build/test
TSAN_DIR ?= build/tsan
FUZZ_DIR ?= build/fuzz
CYCLES ?= 200
# On a terminal one line shows how far it is; a log gets warnings and errors only.
NINJA_FLAGS := -j$(JOBS) $(shell [ -t 2 ] || echo --quiet)

CMAKE_COMMON := -G Ninja -DTH_WERROR=$(WERROR) -DCMAKE_INSTALL_PREFIX=$(PREFIX)
ifneq ($(origin CC),default)
CMAKE_COMMON += -DCMAKE_C_COMPILER=$(CC)
endif

.PHONY: all build bridge image chart first build-test build-release-test build-bench run demo test tsan crash chaos cluster mutants bench pairs install format lint \
        screenshots check-layers check-fresh deb fuzz clean help

all: build

help:
	@sed -n '/^#/!q;s/^# \{0,1\}//p' Makefile
	@echo "also: build, build-test, format, lint, check-layers, check-fresh, clean"

build:
	@tools/install-deps run
	@tools/configure $(RELEASE_DIR) $(CMAKE_COMMON) -DCMAKE_BUILD_TYPE=Release
	@ninja -C $(RELEASE_DIR) $(NINJA_FLAGS) tenterhook

build-test:
	@tools/install-deps test
	@tools/configure $(TEST_DIR) $(CMAKE_COMMON) -DCMAKE_BUILD_TYPE=Debug -DTH_SANITIZE=ON -DTH_TESTS=ON -DTH_BRIDGE=ON
	@ninja -C $(TEST_DIR) $(NINJA_FLAGS) tenterhook tenterhook-bridge unit_tests

bridge:
	@tools/install-deps bridge
	@tools/configure $(RELEASE_DIR) $(CMAKE_COMMON) -DCMAKE_BUILD_TYPE=Release -DTH_BRIDGE=ON
	@ninja -C $(RELEASE_DIR) $(NINJA_FLAGS) tenterhook-bridge

# The release build with the programs that its tests start: sanitizers hide memory, time and system calls.
build-release-test:
	@tools/install-deps test
	@tools/configure $(RELEASE_DIR) $(CMAKE_COMMON) -DCMAKE_BUILD_TYPE=Release -DTH_TESTS=ON
	@ninja -C $(RELEASE_DIR) $(NINJA_FLAGS) tenterhook echo_server unit_sim_cluster

build-bench:
	@tools/install-deps bench
	@tools/configure $(RELEASE_DIR) $(CMAKE_COMMON) -DCMAKE_BUILD_TYPE=Release -DTH_BENCH=ON
	@ninja -C $(RELEASE_DIR) $(NINJA_FLAGS) tenterhook bench_tools

run: build
	@$(PYTHON) tools/demo --binary $(RELEASE_DIR)/tenterhook --stay

demo: build
	@$(PYTHON) tools/demo --binary $(RELEASE_DIR)/tenterhook

test: build-test build-release-test
	@$(PYTHON) tools/run-tests --build $(TEST_DIR) --release $(RELEASE_DIR)

tsan:
	@tools/install-deps test
	@cmake -S . -B $(TSAN_DIR) $(CMAKE_COMMON) -DCMAKE_BUILD_TYPE=Debug -DTH_TSAN=ON -DTH_TESTS=ON >/dev/null
	@ninja -C $(TSAN_DIR) -j$(JOBS) --quiet tenterhook unit_tests
	@$(PYTHON) tools/run-tests --build $(TSAN_DIR) --only unit_store_ --only unit_base_log --only unit_base_places --only unit_base_ref --only unit_base_metric \
	  --only unit_lib_crypto --only unit_net_tls_like --only unit_net_server --only unit_api_threads --only test_process \
	  --only test_delivery --only test_replay --only test_key_rotation --only test_threads

crash: build-test
	@$(PYTHON) test/crash/crash.py --build $(TEST_DIR) --cycles $(CYCLES)

chaos: build-test
	@$(PYTHON) test/crash/chaos.py --build $(TEST_DIR) --cycles $(if $(filter file,$(origin CYCLES)),20,$(CYCLES)) $(if $(SEED),--seed $(SEED))

cluster: build
	@tools/install-deps test
	@$(PYTHON) tools/cluster --binary $(RELEASE_DIR)/tenterhook

mutants:
	@tools/install-deps test
	@$(PYTHON) tools/mutants --jobs $(JOBS) $(foreach name,$(ONLY),--only $(name))

pairs: build-test
	@TENTERHOOK_BUILD=$(TEST_DIR) TENTERHOOK_PAIRS=1000000 $(PYTHON) -m pytest -q -s test/py/test_jsonpath_pairs.py

bench: build-bench
	@$(PYTHON) tools/bench --build $(RELEASE_DIR)

screenshots: build-test
	@TENTERHOOK_BUILD=$(TEST_DIR) $(PYTHON) tools/screenshots --output build/screenshots

BRIDGE ?= OFF
install: $(if $(filter ON,$(BRIDGE)),build bridge,build)
	@cmake --install $(RELEASE_DIR) --prefix $(PREFIX) --strip

format:
	@tools/install-deps lint
	@tools/format

lint:
	@tools/install-deps lint
	@tools/check-layers
	@tools/make-field-tables --check
	@tools/format --check

check-layers:
	@tools/check-layers

HERE := $(shell dpkg --print-architecture 2>/dev/null)
ARCH ?= $(HERE)
ifeq ($(ARCH),$(HERE))
image: build
	@tools/install-deps image
	@packaging/image/build-image --binary $(RELEASE_DIR)/tenterhook --output build/image
else
image: build
	@tools/install-deps image-$(ARCH)
	@JOBS=$(JOBS) tools/build-cross $(ARCH) build/cross-$(ARCH)
	@packaging/image/build-image --binary build/cross-$(ARCH)/build/tenterhook --arch $(ARCH) --like $(RELEASE_DIR)/tenterhook --output build/image
	@$(PYTHON) tools/demo --binary build/cross-$(ARCH)/tenterhook
endif
	@TENTERHOOK_IMAGE=$$(ls $(CURDIR)/build/image/*-$(ARCH).tar) TENTERHOOK_BUILD=$(RELEASE_DIR) $(PYTHON) -m pytest -q -s test/py/test_image.py

chart: build
	@tools/install-deps chart
	@mkdir -p build/chart && cd test/verifiers/go/chart && go build -o $(CURDIR)/build/chart/chart .
	@cd test/verifiers/go/compose && go build -o $(CURDIR)/build/chart/compose .
	@TENTERHOOK_BUILD=$(RELEASE_DIR) $(PYTHON) -m pytest -q test/py/test_chart.py

first: build
	@tools/install-deps test
	@TENTERHOOK_FIRST=1 TENTERHOOK_BUILD=$(RELEASE_DIR) $(PYTHON) -m pytest -q -s test/py/test_first_delivery.py

# Of the committed tree, into build/deb.
deb:
	@tools/install-deps deb
	@packaging/build-deb

check-fresh:
	@tools/install-deps fresh
	@tools/check-fresh

fuzz:
	@tools/install-deps lint
	@tools/configure $(FUZZ_DIR) $(CMAKE_COMMON) -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug \
	  -DTH_SANITIZE=ON -DTH_FUZZ=ON -DTH_TESTS=ON
	@ninja -C $(FUZZ_DIR) $(NINJA_FLAGS) fuzz_targets
	@tools/run-fuzz --build $(FUZZ_DIR)

clean:
	rm -rf build
