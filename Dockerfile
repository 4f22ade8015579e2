# The binary with the programs that its engines run. One image for all parts: the command says which.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked -p alta && cp target/release/alta /usr/local/bin/alta

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        bubblewrap ca-certificates curl ffmpeg pocketsphinx pocketsphinx-en-us poppler-utils qpdf \
        tesseract-ocr tesseract-ocr-ara tesseract-ocr-eng \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --system --create-home --home-dir /var/lib/alta --uid 10001 alta
COPY --from=build /usr/local/bin/alta /usr/local/bin/alta
USER alta
WORKDIR /var/lib/alta
ENV ALTA_DATA_DIR=/var/lib/alta/data HOST=0.0.0.0 PORT=8000 LOG_FORMAT=json
RUN mkdir -p /var/lib/alta/data
VOLUME /var/lib/alta/data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD curl -fsS "http://127.0.0.1:${PORT}/health/live" || exit 1
ENTRYPOINT ["alta"]
CMD ["--help"]
