# Athanor - GNU make. `make help` lists the targets.
#
#   SAN=address   AddressSanitizer and UBSan, objects in build/address
#   CC=clang      another compiler (changing any flag rebuilds)
#   V=1           show the commands

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

ifeq ($(origin CC),default)
CC := gcc
endif
SAN ?=
PORT ?= 8080
# of what make run and make test build, unless -j says it
JOBS ?= $(shell nproc)
build_all = $(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-6s %s\n' $(1) $(2))

BUILD ?= build$(if $(SAN),/$(SAN))
PKGS := libpq libcjson
LIBS_EXTRA := -lm -pthread

WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wformat-security -Werror
OPT := -O2 -g -fno-omit-frame-pointer -fno-plt
CPPFLAGS_ALL := -D_GNU_SOURCE -Ilib $(CPPFLAGS)
CFLAGS_ALL := -std=c17 $(WARN) $(OPT) -fPIC -fvisibility=hidden -pthread $(CFLAGS)
LDFLAGS_ALL := -pthread $(LDFLAGS)
ifeq ($(SAN),address)
CFLAGS_ALL += -fsanitize=address,undefined -fno-sanitize-recover=all -DATH_ARENA_MALLOC
LDFLAGS_ALL += -fsanitize=address,undefined
endif
# asked only when something is compiled, so that `make help` works before the packages are there
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
PKG_LIBS = $(shell pkg-config --libs $(PKGS)) $(LIBS_EXTRA)

# of the library; its first part is that of the soname
VERSION := $(shell sed -n 's/^.define ATH_VERSION "\([^"]*\)".*/\1/p' lib/base/base.h)
SONAME := libathanor.so.$(firstword $(subst ., ,$(VERSION)))

LIB_SRC := $(sort $(wildcard lib/*/*.c))
APP_SRC := $(sort $(wildcard app/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
APP_OBJ := $(APP_SRC:%.c=$(BUILD)/%.o)
# tests/<room>/test_*.c are programs, and so is what tests/db/run.sh runs
TEST_SRC := $(sort $(wildcard tests/*/test_*.c)) tests/db/failover.c tests/db/pooled.c
TEST_BIN := $(TEST_SRC:%.c=$(BUILD)/%)

.PHONY: all help
all: $(BUILD)/libathanor.a $(BUILD)/libathanor.so $(BUILD)/users

help:
	@sed -n 's/^#: //p' $(MAKEFILE_LIST)

#: make             build/libathanor.a, build/libathanor.so and build/users, the example application

# ---- compiling ---------------------------------------------------------------------------

FLAGS := $(CC) $(shell $(CC) -dumpversion) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL)
$(shell mkdir -p $(BUILD) && \
	{ [ "$$(cat $(BUILD)/flags 2>/dev/null)" = '$(FLAGS)' ] || echo '$(FLAGS)' >$(BUILD)/flags; })

$(BUILD)/%.o: %.c $(BUILD)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(PKG_CFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/libathanor.a: $(LIB_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/libathanor.so.$(VERSION): $(LIB_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -shared -Wl,-soname,$(SONAME) -o $@ $^ $(PKG_LIBS)

# the names that a program is linked with, and started with
$(BUILD)/libathanor.so: $(BUILD)/libathanor.so.$(VERSION)
	$(Q)ln -sf $(<F) $(BUILD)/$(SONAME) && ln -sf $(<F) $@

$(BUILD)/users: $(APP_OBJ) $(BUILD)/libathanor.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

# they mount handlers of libfcgi, whose functions are in the program
$(BUILD)/tests/web/test_fcgx $(BUILD)/tests/site/site: LIBS_EXTRA += -lfcgi
$(TEST_BIN): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libathanor.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(PKG_LIBS) -lcmocka

# the application's own have all of it but its main()
$(filter $(BUILD)/tests/app/%,$(TEST_BIN)): $(filter-out %/main.o,$(APP_OBJ))
$(BUILD)/tests/app/%.o: CPPFLAGS_ALL += -Iapp

# the application that tests/e2e/test_fronts.sh serves
SITE := $(BUILD)/tests/site/site
$(SITE): $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/site/*.c))) $(BUILD)/libathanor.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

# programs written by hand, without the library
HAND_BENCH := $(BUILD)/tests/bench/threads $(BUILD)/tests/bench/bare
$(HAND_BENCH): $(BUILD)/%: $(BUILD)/%.o
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ -lfcgi $(PKG_LIBS)

ORM_BENCH := $(BUILD)/tests/bench/orm $(BUILD)/tests/bench/libpq $(BUILD)/tests/bench/pipelines
WEB_BENCH := $(BUILD)/tests/bench/routes $(BUILD)/tests/bench/json_rows \
	$(BUILD)/tests/bench/framework $(BUILD)/tests/bench/application
$(BUILD)/tests/bench/framework: $(BUILD)/app/models.o
$(BUILD)/tests/bench/application: $(BUILD)/app/models.o $(BUILD)/app/users.o
OPERATIONS_BENCH := $(addprefix $(BUILD)/tests/e2e/,idle offer overload releases)
$(BUILD)/tests/e2e/idle: LIBS_EXTRA += -lcmocka
$(ORM_BENCH) $(WEB_BENCH) $(OPERATIONS_BENCH): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libathanor.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(PKG_LIBS)

# ---- manual pages ------------------------------------------------------------------------

.PHONY: man
#: make man         build/man: the program, its configuration, and every public header
man: $(BUILD)/man/made

$(BUILD)/man/made: $(wildcard lib/man/* app/man/* app/deploy/users.conf.in lib/*.h lib/*/*.h) $(BUILD)/users
	$(call say,MAN,$(@D))
	$(Q)CC='$(CC)' lib/man/pages.sh $(BUILD)/users $(VERSION) $(@D) && touch $@

# ---- installing --------------------------------------------------------------------------

# GNU's directories. With the usual prefixes what is configured is in /etc, where logrotate looks.
PREFIX ?= /usr/local
EXEC_PREFIX ?= $(PREFIX)
BINDIR ?= $(EXEC_PREFIX)/bin
LIBDIR ?= $(EXEC_PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man
DOCDIR ?= $(DATADIR)/doc/athanor
SYSCONFDIR ?= $(if $(filter /usr /usr/local,$(PREFIX)),/etc,$(PREFIX)/etc)
PKGCONFIGDIR ?= $(LIBDIR)/pkgconfig
# systemd looks here, wherever libraries are
UNITDIR ?= $(PREFIX)/lib/systemd/system
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
DIRECTORIES := PREFIX EXEC_PREFIX BINDIR LIBDIR INCLUDEDIR DATADIR MANDIR DOCDIR SYSCONFDIR \
	PKGCONFIGDIR UNITDIR TMPFILESDIR SYSUSERSDIR
install = $(foreach name,DESTDIR $(DIRECTORIES),$(name)='$($(name))') BUILD='$(BUILD)' \
	VERSION='$(VERSION)' SONAME='$(SONAME)' CC='$(CC)' app/deploy/install.sh

.PHONY: install uninstall
#: make install     to PREFIX (/usr/local), and /etc; under DESTDIR, when that is given
install: all man
	$(Q)$(install) install

#: make uninstall   takes that away again; a configuration that was changed stays
uninstall: man
	$(Q)$(install) uninstall

# ---- running -----------------------------------------------------------------------------

.PHONY: packages run start stop
packages:
	@nginx/stack.sh packages

#: make run         everything: packages, build, database, nginx on PORT (8080); Ctrl-C ends it
run: packages
	+@$(build_all) all
	@exec nginx/stack.sh run

#: make start       the same in the background
start: packages
	+@$(build_all) all
	@nginx/stack.sh start

#: make stop        ends what make start began
stop:
	@nginx/stack.sh stop

# ---- testing ----------------------------------------------------------------------------

.PHONY: test test-packages test-programs check bench fuzz tidy clean
test-packages:
	@nginx/stack.sh packages test

test-programs: all $(TEST_BIN) $(SITE)

#: make test        packages, then every test: plain, with sanitizers, and a build with clang
test: test-packages
	+@$(build_all) BUILD=build test-programs
	+@$(build_all) BUILD=build/address SAN=address test-programs
	+@$(build_all) BUILD=build/clang CC=clang test-programs
	@tests/run.sh build build/address

#: make check       the tests of one build, without looking for packages (SAN=address as well)
check: test-programs
	@tests/run.sh $(BUILD)

#: make bench       requests a second and CPU time, beside programs written by hand
bench: all $(HAND_BENCH) $(ORM_BENCH) $(WEB_BENCH) $(OPERATIONS_BENCH)
	@tests/bench/web.sh
	@tests/bench/bench.sh
	@tests/bench/bench.sh --memory
	@tests/bench/orm.sh
	@tests/bench/operations.sh

FUZZ_SECONDS ?= 60
FUZZ_BIN := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/*.c))
build/fuzz/%: tests/fuzz/%.c $(LIB_SRC)
	$(call say,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)clang $(CPPFLAGS_ALL) $(PKG_CFLAGS) -std=c17 -O1 -g -DATH_ARENA_MALLOC \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -o $@ $^ $(PKG_LIBS)

#: make fuzz        each fuzz target for FUZZ_SECONDS (60)
fuzz: $(FUZZ_BIN)
	@for program in $(FUZZ_BIN); do \
		echo "$$program"; mkdir -p $$program.corpus; \
		$$program -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
			-artifact_prefix=$$program. $$program.corpus 2>$$program.log || \
			{ tail -n 40 $$program.log; exit 1; }; \
	done

#: make tidy        clang-tidy over the library and the application
tidy:
	$(Q)clang-tidy --quiet $(LIB_SRC) $(APP_SRC) -- -std=c17 $(CPPFLAGS_ALL) $(PKG_CFLAGS)

#: make clean       removes build (the private database of make run with it: stop it first)
clean: stop
	$(Q)rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
