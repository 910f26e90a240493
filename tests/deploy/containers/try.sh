#!/usr/bin/env bash
# Build every target of the Dockerfile and run docker-compose.yml with the images, on a Debian
# machine without Docker and without a registry: `make try-images`. Needs root, 20 GB and about
# 20 minutes. Podman takes the place of Docker; the other stand-ins are in the Dockerfile beside.
#
# Everything lies in CONTAINERS (default .cache/containers); a second call uses what is there.
set -euo pipefail
cd "$(dirname "$0")/../../.."
FOLDER=${CONTAINERS:-$PWD/.cache/containers}
BASE=localhost/python:3.11-slim-bookworm
COMPOSE=${COMPOSE:-.venv/bin/docker-compose}
export CONTAINERS_STORAGE_CONF=$FOLDER/storage.conf CONTAINERS_CONF=$FOLDER/containers.conf
export BUILDAH_ISOLATION=chroot

# In a mount namespace of its own: crun 1.8 refuses a machine with both kinds of cgroups.
if [ "${1:-}" != inside ]; then exec unshare --mount "$0" inside; fi
if [ -d /sys/fs/cgroup/unified ]; then umount /sys/fs/cgroup/unified; fi

step() { printf '%(%H:%M:%S)T  %s\n' -1 "$*"; }

prepare() {
  DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends \
    buildah podman netavark aardvark-dns catatonit iptables debootstrap >"$FOLDER/apt.log"
  printf '[storage]\ndriver = "overlay"\nrunroot = "%s"\ngraphroot = "%s"\n' \
    "$FOLDER/run" "$FOLDER/graph" >"$FOLDER/storage.conf"
  printf '[containers]\ndefault_ulimits = ["nofile=8192:8192", "nproc=8192:8192"]\n[engine]\n%s\n' \
    'cgroup_manager = "cgroupfs"' >"$FOLDER/containers.conf"
}

# Debian's Python where python:3.11-slim-bookworm has its own; the certificates of this machine.
make_base() {
  local root=$FOLDER/base
  podman image exists "$BASE" && return
  rm -rf "$root"
  debootstrap --variant=minbase --include=python3,python3-pip,ca-certificates bookworm "$root" \
    >"$FOLDER/debootstrap.log"
  rm -rf "$root"/usr/lib/python3*/EXTERNALLY-MANAGED "$root"/var/cache/apt/archives/*.deb
  ln -sf /usr/bin/python3 "$root/usr/local/bin/python"
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  tar --directory "$root" --create . | podman import --quiet \
    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' - "$BASE"
}

build() { # tag, target, then options and the context
  local tag=$1 target=$2
  shift 2
  buildah bud --format docker --layers --pull-never --build-arg BASE=$BASE --target "$target" \
    --tag "docker.io/$tag" "$@" >"$FOLDER/build-$target.log" 2>&1 ||
    { tail -20 "$FOLDER/build-$target.log"; exit 1; }
  step "built $target"
}

# buildah 1.28 knows no --start-interval, and mounts an empty stage if the stage was cached.
build_images() {
  sed 's/ --start-interval=[0-9]*s//' Dockerfile >"$FOLDER/Dockerfile"
  local ours=(--file "$FOLDER/Dockerfile" --ignorefile .dockerignore)
  build chatgenimage-wheel wheel "${ours[@]}" .
  ours+=(--build-context wheel=docker-image://docker.io/chatgenimage-wheel)
  for target in $(sed -n 's/.*target: \([a-z]*\).*/\1/p' docker-compose.yml) all; do
    build "library/chatgenimage-$target" "$target" "${ours[@]}" .
  done
  for image in valkey/valkey:8 library/postgres:17 rclone/rclone:1.75 prom/prometheus:v3.5.0; do
    local name=${image#*/}
    build "$image" "${name%:*}" tests/deploy/containers
  done
}

check_health() { # as Docker does; podman leaves it to systemd
  while sleep 2; do
    for one in $(podman ps --quiet); do podman healthcheck run "$one" || true; done
  done >/dev/null 2>&1
}


compose() { "$COMPOSE" --env-file "$FOLDER/env" --profile monitoring "$@"; }
run() { compose run --rm --no-deps --no-TTY "$@"; }

try_compose() {
  export DOCKER_HOST=unix://$FOLDER/podman.sock
  for secret in POSTGRES_PASSWORD REDIS_PASSWORD S3_ACCESS_KEY S3_SECRET_KEY GALLERY_TOKEN \
    METRICS_TOKEN GRAFANA_PASSWORD; do echo "$secret=$(openssl rand -hex 24)"; done >"$FOLDER/env"
  echo "FLOWER_BASIC_AUTH=user:$(openssl rand -hex 24)" >>"$FOLDER/env"
  podman system service --time=0 "$DOCKER_HOST" 2>"$FOLDER/service.log" &
  check_health &
  trap 'compose down --volumes --timeout 60 >"$FOLDER/down.log" 2>&1; kill $(jobs -p)' EXIT
  sleep 3
  compose up --no-build --detach --wait --wait-timeout 900 \
    $(compose config --services | grep --invert-match grafana) >"$FOLDER/up.log" 2>&1 ||
    { tail -20 "$FOLDER/up.log"; exit 1; }
  compose ps --all --format 'table {{.Service}}\t{{.Status}}'
  step "every service is healthy"
  run submit dog house --per-label 2
  run factory watch 1
  run factory status 1
  run labeling doctor
  run factory export coco --out /data/dataset
  compose exec --no-TTY prometheus wget -qO- \
    'http://127.0.0.1:9090/api/v1/query?query=sum(factory_candidates)'
}

mkdir -p "$FOLDER"
prepare
step "$(podman --version), $(buildah --version | cut -d' ' -f1-3), $("$COMPOSE" version)"
make_base
build_images
step "the main job in the image of all roles, read-only, without capabilities"
podman run --rm --init --read-only --cap-drop ALL --security-opt no-new-privileges --tmpfs /tmp \
  docker.io/library/chatgenimage-all run dog house --per-label 2 --data-dir /tmp/data
try_compose
step "done"
