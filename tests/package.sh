#!/usr/bin/env bash
# Installs a .deb into a bare Debian 12 and uses it there as a person would: tests/package.sh FILE.deb [PICTURES]
# Needs root, mmdebstrap, xvfb and imagemagick. The tree is made anew each time; with PICTURES, a folder, pictures of the
# screen are kept in it.
set -euo pipefail

deb=$(realpath "$1") pictures=${2:-}
link="incamera://127.0.0.1:9/#$(printf 'AQ%.0s' {1..36})"
work=$(mktemp -d)
tree=$work/tree
trap 'finish' EXIT

say() { printf 'package: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

finish() {
  local pid
  [ -z "${screen:-}" ] || kill "$screen" 2>/dev/null || true
  # What was started in the tree and nothing else.
  for pid in /proc/[0-9]*; do
    [ "$(readlink "$pid/root" || true)" != "$tree" ] || kill "${pid#/proc/}" 2>/dev/null || true
  done
  umount -l "$tree/proc" "$tree/dev/shm" "$tree/dev" 2>/dev/null || true
  rm -rf --one-file-system "$work"
}

inside() { chroot "$tree" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
as_person() { inside runuser -u ada -- env HOME=/home/ada DISPLAY="$display" LIBGL_ALWAYS_SOFTWARE=1 "$@"; }

install_quietly() {
  inside apt-get install -qq -y --no-install-recommends "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; return 1; }
}

wait_until() { # seconds command…
  local left=$(($1 * 10))
  shift
  until "$@"; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || return 1
    sleep 0.1
  done
}

# The command lines of the app's processes, without those of the web view.
apps() {
  local pid
  for pid in /proc/[0-9]*; do
    [ "$(readlink "$pid/exe" || true)" = "$tree/usr/bin/incamera" ] && tr '\0' ' ' <"$pid/cmdline" && echo
  done
  return 0
}
app_lines() { # also of the web view
  local pid
  for pid in /proc/[0-9]*; do
    case "$(readlink "$pid/exe" || true)" in "$tree"/usr/bin/incamera | "$tree"/*WebKit*) tr '\0' ' ' <"$pid/cmdline" && echo ;; esac
  done
  return 0
}
app_runs() { [ "$(apps | wc -l)" = "$1" ]; }
has_window() { as_person xwininfo -name Incamera >/dev/null 2>&1; }
# A picture of the screen, for looking at: drawn by then.
picture() {
  [ -n "$pictures" ] || return 0
  sleep 4
  DISPLAY="$display" import -window root "$pictures/$1.png"
}
files() { (cd "$tree" && find etc usr opt home var/lib -not -path 'var/lib/dpkg/*' -not -path 'var/lib/apt/*' | sort); }

[ -z "$pictures" ] || mkdir -p "$pictures"
say "a bare Debian"
mmdebstrap --quiet --variant=minbase bookworm "$tree"
mount -t proc proc "$tree/proc"
mount --rbind /dev "$tree/dev"
mount --make-rslave "$tree/dev"
inside apt-get update -qq
# What the package needs is there before, so that what is left afterwards is of the package alone.
cp "$deb" "$tree/incamera.deb"
mapfile -t needed < <(dpkg-deb -f "$deb" Depends | sed 's/([^)]*)//g; s/ *, */\n/g; s/ //g')
install_quietly x11-utils libgl1-mesa-dri "${needed[@]}" || die "what the package needs is not there"
inside useradd --create-home ada
files >"$work/before"

say "install"
install_quietly /incamera.deb || die "it does not install"
for program in incamera incamera-cli incamera-relay; do inside "$program" --version >/dev/null; done
inside desktop-file-validate /usr/share/applications/incamera.desktop
display=:0
[ "$(as_person xdg-mime query default x-scheme-handler/incamera)" = incamera.desktop ] || die "the scheme is not registered"
inside sh -c 'test ! -e /etc/systemd/system/multi-user.target.wants/incamera-relay.service' || die "the relay is enabled"

exec 3< <(exec Xvfb -displayfd 1 -screen 0 1280x800x24 -nolisten tcp 2>/dev/null)
screen=$!
read -r display <&3
display=:$display

say "xdg-open from cold"
as_person xdg-open "$link" >"$work/cold" 2>&1 &
wait_until 60 has_window || die "no window: $(cat "$work/cold")"
apps | grep -q -- '--join -' || die "the link was not taken: $(apps)"
# Whoever opened the link has it on a command line still; the app and its web view do not.
! app_lines | grep -q "${link#*#}" || die "the secret part of the link is in a command line: $(app_lines)"
picture cold

say "xdg-open while it runs"
as_person timeout 20 xdg-open "incamera://another.example/#$(printf 'AQ%.0s' {1..36})" >"$work/warm" 2>&1 || die "the second start does not end: $(cat "$work/warm")"
app_runs 1 || die "there are two: $(apps)"
picture running

say "purge"
for pid in /proc/[0-9]*; do
  [ "$(readlink "$pid/exe" || true)" != "$tree/usr/bin/incamera" ] || kill "${pid#/proc/}"
done
wait_until 10 app_runs 0 || die "the app does not end"
inside apt-get purge -qq -y incamera >"$work/log" 2>&1 || { cat "$work/log"; die "it cannot be purged"; }
files >"$work/after"
# What anybody's use of a desktop leaves, and the caches that belong to others.
left=$(comm -13 "$work/before" "$work/after" | grep -v -e '^home/ada/' -e '^usr/share/applications/mimeinfo.cache$' || true)
[ -z "$left" ] || die "this is left: $left"
say "left of the person's own: $(comm -13 "$work/before" "$work/after" | grep '^home/ada/' | cut -d / -f 3-5 | sort -u | tr '\n' ' ')"
say "OK"
