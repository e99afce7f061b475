# quitring's build. `make help` lists what it can do.

MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

# ---- what may be set: make NAME=value ----

# A folder of boards/. With linux, a processor for static programs: arm64, armhf, mipsel, riscv64;
# s390x is for tests.
BOARD ?= linux
ARCH ?=
# What a build leaves out, for a device with little memory: WITHOUT="ipv6 mdns ntp page".
WITHOUT ?=

ALL_BOARDS := $(patsubst boards/%/board.mk,%,$(wildcard boards/*/board.mk))
ALL_ARCHES := arm64 armhf mipsel riscv64 s390x
ifeq ($(filter $(BOARD),$(ALL_BOARDS)),)
$(error BOARD=$(BOARD): there is no such board; there are $(ALL_BOARDS))
endif

# Another number of connections than the board's, with all that follows from it: CONNS=128.
CONNS ?=

# Where this board's files are built.
NAME := $(BOARD)$(ARCH:%=-%)$(CONNS:%=-%)

# $1 what may be left out, $2 the macro that says so, $3 its files; no_… stands for the first.
define may_be_left_out
LEFT_OUT_MAY := $$(strip $$(LEFT_OUT_MAY) $1)
ifneq ($$(filter $1,$$(WITHOUT)),)
NAME := $$(NAME)-no-$1
LEFT_OUT += $3
LEFT_OUT_DEFINES += -D$2=0
else
LEFT_OUT += $(dir $(firstword $3))no_$(notdir $(firstword $3))
endif
endef
LEFT_OUT_MAY :=
LEFT_OUT :=
LEFT_OUT_DEFINES :=
$(eval $(call may_be_left_out,ipv6,QR_WITH_IPV6,port/ip6.c port/hooks_ip6.c))
$(eval $(call may_be_left_out,mdns,QR_WITH_MDNS,port/mdns.c))
$(eval $(call may_be_left_out,ntp,QR_WITH_NTP,port/wall_clock.c))
$(eval $(call may_be_left_out,page,QR_WITH_PAGE,src/page.c))
ifneq ($(filter-out $(LEFT_OUT_MAY),$(WITHOUT)),)
$(error WITHOUT=$(WITHOUT): a build can be without $(LEFT_OUT_MAY), and nothing else)
endif
ABOUT_ALL := $(filter test run-tests unit e2e check size check-size,$(MAKECMDGOALS))
ifneq ($(and $(WITHOUT),$(ABOUT_ALL)),)
$(error WITHOUT=$(WITHOUT): make $(firstword $(ABOUT_ALL)) is about a build with all of it)
endif

include boards/$(BOARD)/board.mk
BOARD_DEFINES += $(LEFT_OUT_DEFINES)
ifneq ($(CONNS),)
FOLLOWS := CONNS_MAX DESKS_MAX LWIP_SENDERS LWIP_BACKLOG LWIP_CLOSING
BOARD_DEFINES := $(filter-out $(FOLLOWS:%=-DQR_%=%) -DPBUF_POOL_SIZE=%,$(BOARD_DEFINES)) \
	-DQR_CONNS_MAX=$(CONNS)
endif
BOARD_WITHOUT += $(LEFT_OUT)
ifneq ($(ARCH),)
ifneq ($(BOARD),linux)
$(error ARCH=$(ARCH): only BOARD=linux is built for other processors)
endif
endif

# CC is for this machine's programs: from wherever it comes, other processors have their own.
ifneq ($(BOARD_CC),)
override CC := $(BOARD_CC)
else ifeq ($(origin CC),default)
CC := gcc
endif
CFLAGS ?= -O2 -g
LDFLAGS ?=
WERROR ?= -Werror
PREFIX ?= /usr/local
DESTDIR ?=
# Folders of your own: LWIP_DIR holds lwIP 2.2.1 (src/include/lwip/…), JSMN_DIR holds jsmn.h.
LWIP_DIR ?=
JSMN_DIR ?=
# For `make run`: more arguments of a program; of other boards, the address and port of this machine
# where they appear, and settings: SETTINGS="addr=10.0.2.20/24 ring=4096".
ARGS ?=
PUBLISH ?= 127.0.0.1:8080
SETTINGS ?=
# For `make fuzz`: how long with each target, and which of tests/fuzz/fuzz_NAME.c.
FUZZ_SECONDS ?= 60
FUZZ ?= all
# Debian's pytest belongs to Debian's Python.
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
V ?=

# Asked here and not in a recipe, so that what is missing takes one line.
WITHOUT_TOOLS := help deps bench needs missing names show-run emulator run test run-tests unit e2e check fuzz-names \
	size build-sizes build-lean check-size check-memory-bare check-format check-includes check-style \
	check-functions format clean distclean
ifneq ($(filter-out $(WITHOUT_TOOLS),$(or $(MAKECMDGOALS),$(.DEFAULT_GOAL))),)
MISSING := $(shell CC='$(CC)' JSMN_DIR='$(JSMN_DIR)' LWIP_DIR='$(LWIP_DIR)' \
	BOARD_NEEDS='$(BOARD_NEEDS)' port/deps.sh check build 2>&1)
ifneq ($(MISSING),)
$(error $(MISSING))
endif
endif

# ---- sources ----

include port/lwip.mk

LWIP := $(or $(LWIP_DIR),build/lwip)
LWIP_READY := $(if $(LWIP_DIR),$(LWIP_DIR)/src/include/lwip/init.h,build/lwip/.sha256)
JSMN := $(or $(JSMN_DIR),build/jsmn)
READY := $(LWIP_READY) $(JSMN)/jsmn.h build/page/page_data.h

SRC := $(filter-out $(LEFT_OUT),$(sort $(wildcard src/*.c)))
PORT := $(sort $(wildcard port/*.c))
FIRMWARE := $(sort $(wildcard firmware/*.c))
BOARDS := $(filter-out $(BOARD_WITHOUT),$(sort $(wildcard \
	$(patsubst %,%/*.c,boards/$(BOARD) $(BOARD_FOLDERS)))))
OURS := $(SRC) $(filter-out $(BOARD_WITHOUT),$(PORT)) $(FIRMWARE) $(BOARDS)

# How it is linked.
BOARD_SCRIPTS := $(sort $(wildcard $(patsubst %,%/*.ld,boards/$(BOARD) $(BOARD_FOLDERS))))

UNIT := $(sort $(wildcard tests/unit/*.c))
UNIT_TESTS := $(filter tests/unit/test_%.c,$(UNIT))
UNIT_DRIVERS := $(filter %_driver.c,$(UNIT))
UNIT_HELPERS := $(filter-out $(UNIT_TESTS) $(UNIT_DRIVERS),$(UNIT))
PORT_HELPERS := $(filter tests/unit/port_%,$(UNIT_HELPERS))
UNIT_PORT := $(filter-out $(LEFT_OUT),$(PORT))
FUZZING := $(sort $(wildcard tests/fuzz/*.c))
FUZZ_TARGETS := $(filter tests/fuzz/fuzz_%.c,$(FUZZING))
FUZZ_HELPERS := $(filter-out $(FUZZ_TARGETS),$(FUZZING))
FUZZ_NAMES := $(FUZZ_TARGETS:tests/fuzz/fuzz_%.c=%)
# Of other boards, what needs no board.
PURE := boards/mps2/blob.c boards/mps2/chance.c boards/mps2/divide.c $(patsubst %,boards/linux-client/%.c,\
	url response stream document facts lines)

# ---- flags ----

WARN := -Wall -Wextra -Wconversion -Wshadow -Wundef -Wmissing-prototypes -Wstrict-prototypes \
	-Wvla $(WERROR)
DEPEND = -MD -MP
SECTIONS := -ffunction-sections -fdata-sections
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g

# Fuzzed with small tables and limits, which an input soon fills and passes.
FUZZ_LIMITS := -DQR_CONNS_MAX=6 -DQR_DESKS_MAX=4 -DQR_CONTENT_MAX=1024 -DQR_TARGET_MAX=256 -DQR_HEAD_MAX=1024 \
	-DQR_RX_SIZE=256 -DQR_TX_SIZE=536 -DQR_JSON_DEPTH_MAX=8 -DQR_JSON_TOKENS_MAX=48 \
	-DQR_RING_STRIDE=4 -DMEM_SANITY_CHECK=1

# A room sees only what it may include. No -I of src/, and -iquote of it only for tests that are far
# from lwIP: src/limits.h would stand in for the <limits.h> of the C library, which gcc's own
# <limits.h> looks for by #include_next. Others say "src/limits.h", which cannot be mistaken.
LWIP_FLAGS := -iquote port -isystem $(LWIP)/src/include
FLAGS_src := -std=c11 $(WARN) -isystem $(JSMN) -isystem build/page
FLAGS_firmware := -std=c11 $(WARN) -iquote . $(LWIP_FLAGS)
FLAGS_port := -std=gnu11 $(WARN) -iquote . $(LWIP_FLAGS)
FLAGS_boards := -std=gnu11 $(WARN) -iquote . $(BOARD_CFLAGS)
CMOCKA_FLAGS := $(if $(ARCH),-isystem build/cmocka/include)
CMOCKA_LIBS := $(if $(ARCH),,-lcmocka)
FLAGS_tests := -std=gnu11 $(WARN) -iquote . -iquote src $(CMOCKA_FLAGS)
FLAGS_tests_port := -std=gnu11 $(WARN) -iquote . $(LWIP_FLAGS) $(CMOCKA_FLAGS)
FLAGS_lwip := -std=gnu11 -w -iquote . -iquote port -I$(LWIP)/src/include
flags_of = $(if $(and $(filter tests/%,$1),$(findstring port,$(notdir $1))),$(FLAGS_tests_port),\
	$(FLAGS_$(firstword $(subst /, ,$1))))
FLAGS_ALL = $(foreach r,src firmware port boards tests tests_port lwip,$(FLAGS_$r))

export LWIP_DIR JSMN_DIR PYTHON BOARD_NEEDS PUBLISH SETTINGS
Q := $(if $(V),,@)
PARALLEL = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc 2>/dev/null || echo 2))
keep = @mkdir -p $(@D); echo '$(TEXT)' | cmp -s - $@ || echo '$(TEXT)' >$@
say = @printf '  %-4s %s\n' $1 $2

# ---- one variant: build/NAME/obj/…, rebuilt when its flags change, linked anew when a file comes
# or goes ----

# $1 name, $2 compiler, $3 flags
define variant
build/$1/flags: TEXT := $2 $3 $(FLAGS_ALL)
build/$1/files: TEXT := $(OURS) $(UNIT) $(FUZZING) $(LWIP_FILES)
build/$1/flags build/$1/files: FORCE
	$$(keep)
build/$1/obj/%.o: %.c build/$1/flags | $(READY)
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$$(Q)$2 $$(call flags_of,$$<) $3 $$(DEPEND) -c -o $$@ $$<
build/$1/obj/lwip/%.o: $(LWIP)/src/%.c build/$1/flags | $(READY)
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$$(Q)$2 $$(FLAGS_lwip) $3 $$(DEPEND) -c -o $$@ $$<
endef
objects = $(patsubst %.c,build/$1/obj/%.o,$2)
lwip_objects = $(patsubst %,build/$1/obj/lwip/%.o,$(LWIP_FILES))

# The whole program. $1 variant, $2 compiler, $3 flags
define program
$(call variant,$1,$2,$(BOARD_DEFINES) $(SECTIONS) $3)
OBJECTS += $(call objects,$1,$(OURS)) $(call lwip_objects,$1)
build/$1/quitring: $(call objects,$1,$(OURS)) $(call lwip_objects,$1) build/$1/files $(BOARD_SCRIPTS)
	$$(call say,LD,$$@)
	$$(Q)$2 $3 $(BOARD_LDFLAGS) $(LDFLAGS) -Wl,--gc-sections -o $$@ $$(filter %.o,$$^) $(BOARD_LIBS)
endef

# What of lwIP tests/unit/port_memory.c stands in for.
WRAPPED := memp_malloc memp_free mem_malloc pbuf_alloc pbuf_realloc

# What the unit tests' programs are linked from. $1 variant, $2 compiler, $3 flags
define unit_libraries
$(call variant,$1,$2,$3)
OBJECTS += $(call objects,$1,$(UNIT) $(SRC) $(UNIT_PORT) $(FIRMWARE) $(PURE)) $(call lwip_objects,$1)
build/$1/libunit.a: $(call objects,$1,$(filter-out $(PORT_HELPERS),$(UNIT_HELPERS)) $(SRC) $(PURE) \
	$(filter-out %/main.c,$(FIRMWARE)))
build/$1/libport.a: $(call objects,$1,$(PORT_HELPERS) $(UNIT_PORT)) $(call lwip_objects,$1)
build/$1/libunit.a build/$1/libport.a: build/$1/files
	$$(Q)rm -f $$@ && $(or $(BOARD_AR),ar) rc $$@ $$(filter %.o,$$^)
endef

# Each unit test a program of its own, with what it uses of src/, firmware/ and the helpers beside
# it; test_port_* with port/, lwIP and the helpers port_* besides, and without a board: they are the
# board. $1 variant, $2 compiler, $3 flags
define unit
$(call unit_libraries,$1,$2,$3)
build/$1/test_port_%: build/$1/obj/tests/unit/test_port_%.o build/$1/libport.a build/$1/libunit.a
	$$(call say,LD,$$@)
	$$(Q)$2 $3 -o $$@ $(WRAPPED:%=-Wl,--wrap=%) -Wl,--start-group $$^ -Wl,--end-group $(CMOCKA_LIBS)
build/$1/%: build/$1/obj/tests/unit/%.o build/$1/libunit.a
	$$(call say,LD,$$@)
	$$(Q)$2 $3 -o $$@ $$^ $(CMOCKA_LIBS)
OBJECTS += build/$1/obj/tests/bench/ring_scaling.o
build/$1/ring_scaling: build/$1/obj/tests/bench/ring_scaling.o build/$1/libunit.a
	$$(call say,LD,$$@)
	$$(Q)$2 $3 -o $$@ $$^
build-$1: $(patsubst tests/unit/%.c,build/$1/%,$(UNIT_TESTS) $(UNIT_DRIVERS))
endef

# The fuzz targets, likewise; fuzz_port with a port whose memory lies together, so that it can be
# put back to where it began before each input. $1 variant, $2 compiler, $3 flags
define fuzz
OBJECTS += $(call objects,$1,$(FUZZING))
build/$1/libfuzz.a: $(call objects,$1,$(FUZZ_HELPERS)) build/$1/files
	$$(Q)rm -f $$@ && ar rc $$@ $$(filter %.o,$$^)
build/$1/libport-kept.a: build/$1/libport.a
	$$(Q)objcopy --rename-section .bss=port_bss --rename-section .data=port_data $$< $$@
build/$1/fuzz_port: build/$1/obj/tests/fuzz/fuzz_port.o build/$1/libfuzz.a build/$1/libport-kept.a \
	build/$1/libunit.a
	$$(call say,LD,$$@)
	$$(Q)$2 $3 -o $$@ $(WRAPPED:%=-Wl,--wrap=%) -Wl,--start-group $$^ -Wl,--end-group $(CMOCKA_LIBS)
build/$1/fuzz_%: build/$1/obj/tests/fuzz/fuzz_%.o build/$1/libfuzz.a build/$1/libunit.a
	$$(call say,LD,$$@)
	$$(Q)$2 $3 -o $$@ $$^ $(CMOCKA_LIBS)
build/$1/seeds: tests/fuzz/seeds.py
	$$(Q)$(PYTHON) $$< $$@ && touch $$@
build-$1: $(patsubst tests/fuzz/%.c,build/$1/%,$(FUZZ_TARGETS)) build/$1/seeds
endef

$(eval $(call program,$(NAME),$(CC),$(BOARD_MACHINE) $(CFLAGS)))
# Not linked: for check-memory, which reads the calls and the stack use that gcc writes down.
$(eval $(call variant,$(NAME)-calls,$(CC),$(BOARD_MACHINE) $(BOARD_DEFINES) -O2 -fcallgraph-info=su))
OBJECTS += $(call objects,$(NAME)-calls,$(OURS))
ifeq ($(NAME),linux)
# The program's own objects on a board that is a client: for counting instructions.
COUNTED := build/linux/client_board
OBJECTS += $(call objects,linux,tests/bench/client_board.c)
$(COUNTED): $(call objects,linux,$(filter-out boards/%,$(OURS)) tests/bench/client_board.c) \
	$(call lwip_objects,linux) build/linux/files
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(BOARD_LDFLAGS) $(LDFLAGS) -Wl,--gc-sections -o $@ $(filter %.o,$^)
$(eval $(call program,clang,clang,-O2 -g))
$(eval $(call program,asan,gcc,$(SANITIZE)))
$(eval $(call unit,unit,gcc,-O2 -g))
$(eval $(call unit,unit-asan,clang,$(SANITIZE)))
$(eval $(call unit_libraries,fuzz,clang,$(SANITIZE) -fsanitize=fuzzer-no-link $(FUZZ_LIMITS)))
$(eval $(call fuzz,fuzz,clang,$(SANITIZE) -fsanitize=fuzzer))
$(eval $(call unit,unit-coverage,gcc,-O0 --coverage))
endif

# For make bench: quitring with a table in which 256 connections may stay, whom it is compared with,
# as far as this machine has what they need, and the client.
ifeq ($(NAME),linux)
BENCH_LIMITS := -UQR_CONNS_MAX -DQR_CONNS_MAX=352 -UQR_LWIP_BACKLOG -DQR_LWIP_BACKLOG=250 \
	-UPBUF_POOL_SIZE
BENCH_C := client epoll_server $(if $(wildcard /usr/include/microhttpd.h),microhttpd_server)
BENCH_GO := $(if $(shell command -v go),go_server)
BENCH_RAW := -std=gnu11 -D_GNU_SOURCE -iquote tests/bench/raw -iquote . $(LWIP_FLAGS)
$(eval $(call program,bench,$(CC),$(BOARD_MACHINE) $(CFLAGS) $(BENCH_LIMITS)))
$(BENCH_C:%=build/bench/%): build/bench/%: tests/bench/%.c build/bench/flags
	$(call say,CC,$@)
	$(Q)$(CC) $(FLAGS_tests) -D_GNU_SOURCE $(CFLAGS) -o $@ $< $(if $(findstring micro,$@),-lmicrohttpd)
build/bench/go_server: tests/bench/go_server.go
	$(call say,GO,$@)
	$(Q)GOCACHE=$(abspath build/bench/go-cache) GOTOOLCHAIN=local GO111MODULE=off go build -o $@ $<
build/bench/raw_server: tests/bench/raw/raw_server.c tests/bench/raw/lwipopts.h port/checksum.c \
	build/bench/flags | $(READY)
	$(call say,CC,$@)
	$(Q)$(CC) $(BENCH_RAW) $(WARN) $(CFLAGS) -c -o $@.o $<
	$(Q)$(CC) $(BENCH_RAW) -w $(CFLAGS) -o $@ $@.o port/checksum.c \
		$(patsubst %,$(LWIP)/src/%.c,$(LWIP_FILES) apps/http/httpd apps/http/fs)
.PHONY: build-bench
build-bench: $(patsubst %,build/bench/%,quitring $(BENCH_C) $(BENCH_GO) raw_server)
endif

# Unit tests of another processor: with cmocka inside, which is not packaged for it, and with a small
# board's table. -O1 takes the least time to build and run.
ifneq ($(ARCH),)
UNIT_ARCH := build/unit-$(ARCH)
$(eval $(call unit,unit-$(ARCH),$(CC),$(BOARD_MACHINE) -O1 -DQR_CONNS_MAX=12))
$(call objects,unit-$(ARCH),$(UNIT)): | build/cmocka/.sha256
$(UNIT_ARCH)/libunit.a: $(UNIT_ARCH)/cmocka.o
$(UNIT_ARCH)/cmocka.o: build/cmocka/src/cmocka.c $(UNIT_ARCH)/flags
	$(call say,CC,$@)
	$(Q)$(CC) -std=gnu11 -w $(CMOCKA_FLAGS) $(BOARD_MACHINE) -O1 -DHAVE_SIGNAL_H -DHAVE_SIGLONGJMP \
		-c -o $@ $<
endif

.SECONDARY: $(OBJECTS)
-include $(OBJECTS:.o=.d)

# ---- lwIP's and cmocka's source, jsmn's header ----

ifeq ($(LWIP_DIR),)
$(LWIP_READY): port/get_source.sh
	@port/get_source.sh lwip build/lwip
else
$(LWIP_READY):
	@echo 'quitring: LWIP_DIR=$(LWIP_DIR): lwIP 2.2.1 is not there (src/include/lwip/init.h)' >&2
	@exit 1
endif
$(LWIP_FILES:%=$(LWIP)/src/%.c): | $(LWIP_READY) ;

build/cmocka/.sha256: port/get_source.sh
	@port/get_source.sh cmocka build/cmocka
build/cmocka/src/cmocka.c: | build/cmocka/.sha256 ;

# A copy, since a cross compiler must not see the folder that it is in.
ifeq ($(JSMN_DIR),)
build/jsmn/jsmn.h: $(firstword $(wildcard /usr/include/jsmn.h /usr/local/include/jsmn.h))
	@mkdir -p $(@D) && cp $< $@
endif

# The page for people, as it stands in flash.
build/page/page_data.h: src/page.html src/page.py
	@mkdir -p $(@D) && $(PYTHON) src/page.py $< $@

# ---- targets ----

.PHONY: FORCE
FORCE:

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
		awk -F'|' '{ printf "%-22s %s\n", $$1, $$2 }'
	@echo 'Settings: CC=clang, CFLAGS=, LWIP_DIR=, JSMN_DIR=, PREFIX=, DESTDIR=, V=1 (see the Makefile)'

.PHONY: all
all: build/$(NAME)/quitring $(BOARD_IMAGE) ## builds build/linux/quitring (the default)

.PHONY: run
run: ## gets what is missing, builds, starts it (ARGS="--ring 64K"; BOARD=…, SETTINGS="ring=64K")
	@CC='$(CC)' port/deps.sh install build
	@$(MAKE) $(PARALLEL) all
	@exec $(BOARD_RUN)

# Tests need what each board, and each processor, needs.
TEST_NEEDS = $(sort $(foreach b,$(ALL_BOARDS),$(shell $(MAKE) -s needs BOARD=$b ARCH=)) \
	$(foreach a,$(ALL_ARCHES),$(shell $(MAKE) -s needs BOARD=linux ARCH=$a)))
.PHONY: needs missing names show-run emulator limits
needs:
	@echo '$(BOARD_NEEDS)'
missing: ## says in one line what this board, or processor, needs and is not there
	@CC='$(CC)' port/deps.sh check build

# For tests/: all boards, and this one as `make run` starts it and with the limits that it has.
names:
	@echo $(ALL_BOARDS) $(ALL_ARCHES:%=linux-%)
show-run:
	@echo '$(BOARD_RUN)'
emulator:
	@echo '$(BOARD_EMULATOR)'
limits:
	@$(CC) $(BOARD_MACHINE) $(BOARD_DEFINES) -E -dM src/limits.h | \
		sed -n 's/^#define \(QR_[A-Z0-9_]*\) \(..*\)/\1=\2/p' | LC_ALL=C sort

.PHONY: deps
deps: ## gets what building and testing need, with apt-get where something is missing
	@CC='$(CC)' BOARD_NEEDS='$(TEST_NEEDS)' port/deps.sh install test
	@tests/e2e/get_tools.sh
	@$(MAKE) $(READY) build/cmocka/.sha256

.PHONY: test
test: ## gets what is missing, builds, and runs every test and check
	@CC='$(CC)' BOARD_NEEDS='$(TEST_NEEDS)' port/deps.sh install test
	@tests/e2e/get_tools.sh
	@$(MAKE) run-tests

.PHONY: run-tests
run-tests: ## every test and check, with what is there
	@$(PYTHON) tests/run

.PHONY: unit e2e check
unit: ## the unit tests alone: gcc, clang with sanitizers, and other processors (ARCH=s390x: it alone)
	@$(PYTHON) tests/run unit$(ARCH:%=-%)
e2e: ## the tests against the running programs alone (BOARD=…, ARCH=…: against that one)
	@$(PYTHON) tests/run e2e $(if $(filter-out file default,$(origin BOARD) $(origin ARCH)),$(NAME))
check: ## the checks alone
	@$(PYTHON) tests/run check

.PHONY: fuzz fuzz-names
fuzz: ## looks for inputs that break it (FUZZ_SECONDS=60 for each target; FUZZ=http: that one)
	@$(MAKE) $(PARALLEL) build-fuzz
	@tests/fuzz/run.sh fuzz $(FUZZ_SECONDS) $(if $(filter all,$(FUZZ)),$(FUZZ_NAMES),$(FUZZ))
fuzz-names:
	@echo $(FUZZ_NAMES)

.PHONY: build-clang build-asan build-unit build-unit-asan build-fuzz build-calls
build-clang: build/clang/quitring ## builds it with clang
build-asan: build/asan/quitring ## builds it with address and undefined behaviour sanitizers
build-unit: ## builds the unit tests
build-unit-asan: ## builds the unit tests with clang and sanitizers
build-fuzz: ## builds the fuzz targets
ifeq ($(ARCH),)
.PHONY: $(ALL_ARCHES:%=build-unit-%)
$(ALL_ARCHES:%=build-unit-%): build-unit-%:
	@$(MAKE) ARCH=$* $@
else
.PHONY: build-unit-$(ARCH)
endif
build-calls: $(call objects,$(NAME)-calls,$(OURS))

.PHONY: check-format check-includes check-style check-functions check-memory check-memory-bare \
	check-tidy check-cppcheck check-readme check-instructions instructions
check-format: ## C as clang-format writes it (make format does it)
	@tests/check/format.sh
check-includes: ## who may include whom: DESIGN's table
	@$(PYTHON) tests/check/includes.py
check-style: ## no conditional compilation, no third-party text, short headers
	@$(PYTHON) tests/check/style.py
check-functions: ## functions fit a screen and are simple
	@$(PYTHON) tests/check/functions.py
check-memory: build/$(NAME)/quitring build-calls ## no heap, no recursion, bounded stack
	@$(PYTHON) tests/check/memory.py $(call objects,$(NAME),$(OURS)) \
		$(call lwip_objects,$(NAME)) -- $(call objects,$(NAME)-calls,$(OURS))
check-memory-bare: ## the same, of a bare board
	@$(MAKE) check-memory BOARD=mps2-an385
check-tidy: $(READY) ## clang-tidy
	@$(PYTHON) tests/check/tidy.py $(foreach f,$(SRC) $(PORT) $(FIRMWARE) $(wildcard boards/*/*.c),\
		$f '$(call flags_of,$f) $(BOARD_DEFINES)')
check-cppcheck: $(READY) ## cppcheck
	@tests/check/cppcheck.sh $(LWIP)/src/include $(BOARD_DEFINES)
check-readme: build/$(NAME)/quitring ## what the README shows is what happens
	@$(PYTHON) tests/check/readme.py

instructions: $(COUNTED) ## what a callback and a poll take, by file: writes the figures that are kept
	@$(MAKE) -s $(PARALLEL) BOARD=mps2-an385 >&2
	@$(PYTHON) tests/check/instructions.py --write $(COUNTED) $(CC) $(CFLAGS)
check-instructions: $(COUNTED) ## whether it is more than what is kept
	@$(MAKE) -s $(PARALLEL) BOARD=mps2-an385 >&2
	@$(PYTHON) tests/check/instructions.py $(COUNTED) $(CC) $(CFLAGS)

.PHONY: build-unit-coverage coverage check-coverage
coverage: build-unit-coverage ## lines and branches that the unit tests reach, and which they do not
	@$(PYTHON) tests/check/coverage.py build/unit-coverage -v
check-coverage: build-unit-coverage ## each line is reached by a unit test, or named
	@$(PYTHON) tests/check/coverage.py build/unit-coverage

.PHONY: prove
prove: $(READY) ## proves ring, json and http free of memory errors, with CBMC (PROOFS="ring_put")
	@tests/prove/get_cbmc.sh
	@$(PYTHON) tests/prove/run.py $(PROOFS)

# Those with a memory map of their own; one of them with many connections; and the smallest one
# without each part, and without all.
SIZE_BOARDS := $(sort $(patsubst boards/%/memory.ld,%,$(wildcard boards/*/memory.ld)))
SIZE_SMALL := mps2-an511
SIZE_LEAN := $(SIZE_SMALL)$(shell printf -- '-no-%s' $(LEFT_OUT_MAY))
SIZE_LARGE := mps2-an385
SIZE_CONNS := 128
SIZE_NAMES := $(SIZE_BOARDS) $(SIZE_LARGE)-$(SIZE_CONNS) $(LEFT_OUT_MAY:%=$(SIZE_SMALL)-no-%) $(SIZE_LEAN)
.PHONY: size check-size build-sizes build-lean
build-sizes: build-lean
	@for board in $(SIZE_BOARDS); do $(MAKE) -s $(PARALLEL) BOARD=$$board || exit; done
	@$(MAKE) -s $(PARALLEL) BOARD=$(SIZE_LARGE) CONNS=$(SIZE_CONNS)
	@for part in $(LEFT_OUT_MAY); do \
		$(MAKE) -s $(PARALLEL) BOARD=$(SIZE_SMALL) WITHOUT=$$part || exit; done
build-lean: ## builds it for the smallest board without all that can be left out
	@$(MAKE) $(PARALLEL) BOARD=$(SIZE_SMALL) WITHOUT='$(LEFT_OUT_MAY)'
size: ## flash and RAM of the microcontroller boards, by room, and without what can be left out
	@$(MAKE) -s build-sizes >&2
	@$(PYTHON) tests/check/size.py $(SIZE_NAMES:%=build/%/quitring)
check-size: build-sizes ## what the README says of sizes
	@$(PYTHON) tests/check/size.py --readme $(SIZE_NAMES:%=build/%/quitring)

ROUNDS ?= 15
.PHONY: bench
bench: ## costs beside other servers (needs root; ROUNDS=3: in short); BOARD=mps2-an385: in instructions
ifeq ($(BOARD_BENCH),)
	@echo 'quitring: make bench takes BOARD=linux, mps2-an385 or mps2-an511' >&2; exit 1
else
	@CC='$(CC)' port/deps.sh install build
	@$(MAKE) $(PARALLEL) all
	@$(BOARD_BENCH)
endif

MINUTES ?= 10
.PHONY: soak
soak: all ## callers, pollers, attackers and a bad network for MINUTES=10 (needs root)
	@$(PYTHON) tests/e2e/soak.py $(MINUTES)

.PHONY: format
format: ## writes our C files anew with clang-format
	@tests/check/format.sh --write

.PHONY: install
install: build/$(NAME)/quitring ## copies the program to $(DESTDIR)$(PREFIX)/bin
	install -D -m 755 $< $(DESTDIR)$(PREFIX)/bin/quitring

.PHONY: clean distclean
clean: ## removes what was built, but not what was fetched
	@rm -rf $(filter-out build/lwip build/cmocka build/tools build/tools-bench build/cbmc build/kernel-%,$(wildcard build/*))
distclean: ## removes build/
	@rm -rf build
