# PostgreSQL's image with pg_tviews in it: docker build --build-arg PG=15 -t postgres-pg_tviews:15 .
# docs/install.md says what was checked of this file, and how.
ARG PG=15
ARG DEBIAN=bookworm
ARG RUST=1.95

FROM rust:${RUST}-${DEBIAN} AS rust

FROM postgres:${PG}-${DEBIAN} AS build
ARG PG
COPY --from=rust /usr/local/cargo /usr/local/cargo
COPY --from=rust /usr/local/rustup /usr/local/rustup
ENV CARGO_HOME=/usr/local/cargo RUSTUP_HOME=/usr/local/rustup PATH=/usr/local/cargo/bin:$PATH
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential ca-certificates git sudo "postgresql-server-dev-$PG" \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /usr/src/pg_tviews
COPY . .
RUN make package PG="$PG"

FROM postgres:${PG}-${DEBIAN}
ARG PG
COPY --from=build /usr/src/pg_tviews/target/packages/postgresql-${PG}-pg-tviews_*.deb /tmp/
RUN dpkg --install /tmp/postgresql-*.deb && rm /tmp/postgresql-*.deb
CMD ["postgres", "-c", "shared_preload_libraries=pg_tviews"]
