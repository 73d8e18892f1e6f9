# The demo, which needs no API key:
#   docker build --tag copilotkit-runtime-py .
#   docker run --rm --publish 8000:8000 copilotkit-runtime-py
FROM ghcr.io/astral-sh/uv:0.9-python3.13-trixie-slim AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /app
# The versions of uv.lock. The layer of the dependencies changes with the lock file only.
COPY pyproject.toml uv.lock ./
RUN uv sync --locked --no-dev --no-install-project --extra langgraph
COPY README.md LICENSE *.py ./
COPY src src
RUN uv sync --locked --no-dev --no-editable --extra langgraph

FROM python:3.13-slim-trixie
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1
COPY --from=build /app/.venv /app/.venv
RUN useradd --system --create-home --home-dir /data runtime
USER runtime
WORKDIR /data
EXPOSE 8000
HEALTHCHECK --interval=10s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz')"]
# `exec` form: the server itself gets SIGTERM, and drains its runs.
CMD ["copilotkit-runtime-py", "demo", "--host", "0.0.0.0", "--port", "8000"]
