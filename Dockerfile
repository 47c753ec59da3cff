# The program `fer` with the elements, in a Debian 13:
#
#   docker build -t fer .
#   docker run --rm -v "$PWD:/data" --user "$(id -u):$(id -g)" fer annotate talk.mp4
#
# Its commands are those that ci/deb-test.sh and CONTRIBUTING.md run; as an image it was not built yet.
FROM rust:1.95-slim-trixie AS build
WORKDIR /source
COPY . .
RUN ./fer deb /deb

# Not -slim, which leaves out the documents of packages: the licences of what is linked in are there.
FROM debian:trixie
RUN --mount=type=bind,from=build,source=/deb,target=/deb \
    apt-get update && apt-get install -y /deb/*.deb && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 1000 fer
USER fer
WORKDIR /data
ENTRYPOINT ["fer"]
CMD ["--help"]
