# Caretaker: `make help` says what there is.

PREFIX ?= /usr
DESTDIR ?=
CARGO ?= cargo
TARGET = $(or $(CARGO_TARGET_DIR),target)
# The program that `make install` installs; packagers may bring their own.
BINARY ?= $(TARGET)/release/caretaker

bin = $(DESTDIR)$(PREFIX)/bin
share = $(DESTDIR)$(PREFIX)/share
lib = $(DESTDIR)$(PREFIX)/lib
etc = $(DESTDIR)/etc/caretaker

.PHONY: help build demo test lint bench install
.DEFAULT_GOAL := help

help:
	@echo 'make build     the release binary, $(TARGET)/release/caretaker'
	@echo 'make demo      what Caretaker does, in under a minute: no server, no configuration'
	@echo 'make test      everything: format, lints, documentation, units, all tests with real servers'
	@echo 'make lint      the part of it that needs no servers'
	@echo 'make bench     Caretaker against pg_dump, zstd, aws, check_postgres …, in about ten minutes; see docs/performance.md'
	@echo 'make install   DESTDIR= PREFIX=/usr: binary, systemd units, configuration, man pages, completions, documents'

build:
	$(CARGO) build --release --locked

demo:
	$(CARGO) build --release --locked
	@$(TARGET)/release/caretaker demo

test:
	@[ "$$(id -u)" = 0 ] || echo 'make test: not root: the tests that mount, boot a small Debian or change their user will fail' >&2
	@tests/install-dependencies
	@$(MAKE) --no-print-directory lint
	@tests/with-servers $(CARGO) test --locked

# ONLY='caretaker zstd': those whose names hold one of these. CARETAKER_BENCH_MB, CARETAKER_BENCH_ROUNDS: see benches/.
bench:
	@tests/install-dependencies --for-bench
	@CARETAKER_BENCH_AWS="$$(tests/install-dependencies --print-aws)" \
	  tests/with-servers $(CARGO) bench --quiet --locked --bench speed -- $(ONLY)

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --quiet --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --quiet --locked --no-deps --document-private-items
	tests/check-units

install:
	@if [ '$(BINARY)' = '$(TARGET)/release/caretaker' ] && command -v $(CARGO) >/dev/null; then \
	  $(CARGO) build --release --locked; fi
	@test -x '$(BINARY)' || { echo 'make install: no $(BINARY): run `make build` first' >&2; exit 1; }
	install -D -m 755 '$(BINARY)' '$(bin)/caretaker'
	install -D -m 644 -t '$(lib)/systemd/system' systemd/caretaker.service systemd/caretaker-failure@.service
	sed -i 's|/usr/bin/caretaker|$(PREFIX)/bin/caretaker|; s|/usr/share/doc|$(PREFIX)/share/doc|' '$(lib)'/systemd/system/caretaker*.service
	install -D -m 644 -t '$(lib)/sysusers.d' systemd/sysusers.d/caretaker.conf
	install -D -m 644 -t '$(lib)/tmpfiles.d' systemd/tmpfiles.d/caretaker.conf
	install -d -m 750 '$(etc)'
	test -e '$(etc)/caretaker.toml' || install -m 640 config/caretaker.toml '$(etc)/caretaker.toml'
	install -d '$(share)/man/man1' '$(share)/bash-completion/completions' '$(share)/zsh/site-functions' '$(share)/fish/vendor_completions.d'
	'$(BINARY)' man '$(share)/man/man1'
	'$(BINARY)' completions bash >'$(share)/bash-completion/completions/caretaker'
	'$(BINARY)' completions zsh >'$(share)/zsh/site-functions/_caretaker'
	'$(BINARY)' completions fish >'$(share)/fish/vendor_completions.d/caretaker.fish'
	install -D -m 644 -t '$(share)/doc/caretaker' README.md ARCHITECTURE.md CONTRIBUTING.md SECURITY.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE
	install -D -m 644 -t '$(share)/doc/caretaker/docs' docs/*.md
	install -D -m 644 -t '$(share)/doc/caretaker/docs/decisions' docs/decisions/*.md
	install -D -m 644 -t '$(share)/doc/caretaker/config' config/caretaker.toml
	install -D -m 644 -t '$(share)/doc/caretaker/config/examples' config/examples/*.toml
	install -D -m 644 -t '$(share)/doc/caretaker/systemd/examples' systemd/examples/*.conf
# Into a running system: what a package's scripts would do.
	@if [ -z '$(DESTDIR)' ] && [ -d /run/systemd/system ] && [ "$$(id -u)" = 0 ]; then \
	  systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload; fi
