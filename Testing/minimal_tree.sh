#!/usr/bin/env bash
# The README's commands in a minimal Debian, from a clean clone: minimal_tree.sh [SUITE [WORDS OF "make test"]]
# Needs root and debootstrap. MOUNTS lists folders that this machine's pip refers to (find-links).
# SUITE is bookworm (Python 3.11), trixie (Python 3.13) or any other of Debian's.
set -eu
suite=${1:-bookworm}
shift || true
here=$(cd "$(dirname "$0")/.." && pwd)
tree=$(mktemp -d "${TMPDIR:-/tmp}/cmcseg-$suite.XXXXXX")

leave() {
    for folder in proc dev ${MOUNTS:-}; do umount -l "$tree/$folder" 2>/dev/null || true; done
    rm -rf --one-file-system "$tree"
}
trap leave EXIT

debootstrap --variant=minbase --include=python3,python3-venv,make,git,ca-certificates "$suite" "$tree" > "$tree.log"
rm "$tree.log"
for folder in proc dev ${MOUNTS:-}; do
    mkdir -p "$tree/$folder"
    mount --rbind "/${folder#/}" "$tree/$folder"
done
for file in etc/resolv.conf etc/hosts etc/pip.conf etc/xdg/pip etc/ssl/certs/ca-certificates.crt; do
    if [ -e "/$file" ]; then mkdir -p "$tree/$(dirname $file)" && cp -rT "/$file" "$tree/$file"; fi
done
git clone --quiet "$here" "$tree/root/cmcseg"

inside() {
    echo "== $suite: $*"
    env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
        $(env | grep -E '^(PIP_|SSL_CERT|REQUESTS_CA|https?_proxy|no_proxy)' || true) \
        chroot "$tree" bash -c "cd /root/cmcseg && time $*"
}
inside make demo
inside make .venv/drawing
# The page answers, or the reason why not is one sentence.
inside .venv/bin/python Testing/helpers/page_answers.py cmcseg-web || [ $? = 2 ]
inside make test "$@"
