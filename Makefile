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
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-6s %s\n' $(1) $(2))

BUILD := build$(if $(SAN),/$(SAN))
PKGS := libpq libcjson
LIBS_EXTRA := -lm -pthread

WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Werror
OPT := -O2 -g -fno-omit-frame-pointer
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

LIB_SRC := $(sort $(wildcard lib/*/*.c))
APP_SRC := $(sort $(wildcard app/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
APP_OBJ := $(APP_SRC:%.c=$(BUILD)/%.o)
# tests/<room>/test_*.c are programs; the other files of a room's folder go into each of them
TEST_SRC := $(sort $(wildcard tests/*/test_*.c))
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

$(BUILD)/libathanor.so: $(LIB_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -shared -Wl,-soname,libathanor.so -o $@ $^ $(PKG_LIBS)

$(BUILD)/users: $(APP_OBJ) $(BUILD)/libathanor.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

$(TEST_BIN): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libathanor.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS) -lcmocka

-include $(shell find build -name '*.d' 2>/dev/null)
