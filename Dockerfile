# Berry API, built inside the image: needs nothing but an engine.
#
#   docker build -t berry-api .
#   docker run --rm -p 3000:3000 berry-api --demo
#
# Dockerfile.prebuilt makes the same image from programs that were built before,
# which is faster; docs/DOCKER_BUILD.md compares the two.
ARG GO_IMAGE=golang:1.26.8
ARG BASE_IMAGE=gcr.io/distroless/static-debian12:nonroot

# The compiler runs on the machine's own platform and builds for the target's.
FROM --platform=${BUILDPLATFORM:-linux/amd64} ${GO_IMAGE} AS build
ARG TARGETOS=linux
ARG TARGETARCH=amd64
ARG VERSION=dev
# GOWORK=off: each program with the requirements of its own module, as `go install` builds it.
ENV CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} GOWORK=off
WORKDIR /src
COPY core core
COPY loadbalance loadbalance
COPY relay relay
COPY api api
COPY cli cli
# What was fetched and compiled stays on the building machine for the next time, and is in no layer.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    stamps="-X main.stamp=${VERSION} -X github.com/PPKunOfficial/berry-api/cli/internal/command.stamp=${VERSION}" \
    && go -C api build -trimpath -buildvcs=false -ldflags "-s -w ${stamps}" -o /out/berry-api ./cmd/berry-api \
    && go -C cli build -trimpath -buildvcs=false -ldflags "-s -w ${stamps}" -o /out/berry-cli ./cmd/berry-cli

# No shell, no package manager; the user is 65532 and owns nothing.
FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="Berry API" \
      org.opencontainers.image.source="https://github.com/PPKunOfficial/berry-api" \
      org.opencontainers.image.licenses="GPL-3.0-only"
COPY --from=build /out/berry-api /out/berry-cli /usr/local/bin/
WORKDIR /app
# BIND_ADDRESS goes before the file's bind_address, which means the container's own loopback.
ENV BIND_ADDRESS=0.0.0.0:3000 CONFIG_PATH=/app/config.toml
USER 65532:65532
EXPOSE 3000
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/berry-api", "--healthcheck"]
ENTRYPOINT ["/usr/local/bin/berry-api"]
