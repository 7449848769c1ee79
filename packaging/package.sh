#!/usr/bin/env bash
# Packs programs that are built into a .deb and an .rpm: package.sh PROGRAMS OUTPUT VERSION
# PROGRAMS is the folder with incamera, incamera-cli and incamera-relay. `./dev package` builds them and calls this.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

programs=$(realpath "$1") output=$(realpath -m "$2") version=$3
names=(incamera incamera-cli incamera-relay)
maintainer="The Incamera developers <${DEBEMAIL:-incamera@localhost}>"
# The same sources give the same packages: the only time in them is that of the last change.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH LC_ALL=C.UTF-8
umask 022

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
doc=$tree/usr/share/doc/incamera

# Text with its @HOLES@ filled in.
fill() { # file NAME=value…
  local text hole
  text=$(cat "$1")
  shift
  for hole in "$@"; do text=${text//@${hole%%=*}@/${hole#*=}}; done
  printf '%s\n' "$text"
}

put() { install -D -m 644 "$1" "$tree/$2"; }

put_programs() {
  local name
  local -A purposes=(
    [incamera]="meetings that no server can open"
    [incamera-cli]="hold and join meetings from the command line"
    [incamera-relay]="relay for meetings whose media it cannot open"
  )
  for name in "${names[@]}"; do
    install -D -m 755 "$programs/$name" "$tree/usr/bin/$name"
    mkdir -p "$tree/usr/share/man/man1"
    # The manual is what the program itself says; the command line's help is the one table of what there is.
    help2man --no-info --name "${purposes[$name]}" --source "Incamera $version" --manual Incamera "$programs/$name" |
      gzip -9n >"$tree/usr/share/man/man1/$name.1.gz"
  done
}

put_desktop() {
  local size
  put packaging/incamera.desktop usr/share/applications/incamera.desktop
  mkdir -p "$tree/usr/share/metainfo"
  fill packaging/org.incamera.Incamera.metainfo.xml VERSION="$version" DATE="$(date -u -d "@$SOURCE_DATE_EPOCH" +%F)" \
    >"$tree/usr/share/metainfo/org.incamera.Incamera.metainfo.xml"
  for size in 16 24 32 48 64 128 256 512; do
    put "icons/${size}x$size.png" "usr/share/icons/hicolor/${size}x$size/apps/incamera.png"
  done
  put icons/mark.svg usr/share/icons/hicolor/scalable/apps/incamera.svg
  desktop-file-validate "$tree/usr/share/applications/incamera.desktop"
  appstreamcli validate --no-net "$tree/usr/share/metainfo/org.incamera.Incamera.metainfo.xml"
}

put_relay() {
  put docs/systemd/incamera-relay.service usr/lib/systemd/system/incamera-relay.service
  sed -i 's,/usr/local/bin/,/usr/bin/,' "$tree/usr/lib/systemd/system/incamera-relay.service"
}

put_documents() {
  local name
  for name in host cli privacy threats errors; do put "docs/$name.md" "usr/share/doc/incamera/$name.md"; done
  put docs/relay.example.toml usr/share/doc/incamera/relay.example.toml
  put web/join/index.html usr/share/doc/incamera/join/index.html
  gzip -9nc CHANGELOG.md >"$doc/changelog.gz"
  fill packaging/debian/copyright MIT="$(sed 's/^$/./; s/^/ /' LICENSE-MIT)" >"$doc/copyright"
  third_party | gzip -9n >"$doc/third-party.gz"
}

# Every library in the programs and the pages with its licence, and the texts of those licences, each once.
third_party() {
  local crates name version place
  crates=$(cargo tree --locked --edges normal --prefix none --no-dedupe --format '{p}|{l}' \
    -p incamera-desktop -p incamera-cli -p incamera-relay | grep -v -e ' (/' -e '^$' | sed 's/ (proc-macro)//; s/ (\*)//' | sort -u)
  printf 'Incamera contains these libraries.\n\n'
  printf '%s\n' "$crates" | sed 's/|/: /'
  for place in ui/node_modules/{svelte,@tauri-apps/api,uqr,@fontsource/atkinson-hyperlegible-{next,mono}}; do
    node -p "const {name, version, license} = require('./$place/package.json'); \`\${name} v\${version}: \${license}\`"
  done
  {
    while read -r name version _; do
      find "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"$name-${version#v}" -maxdepth 1 -type f
    done <<<"${crates//|/ }"
    find ui/node_modules/{svelte,@tauri-apps/api,uqr,@fontsource/atkinson-hyperlegible-{next,mono}} -maxdepth 1 -type f
  } | grep -iE '/(licen[cs]e|copying|notice|copyright|ofl)[^/]*$' | sort -u | while read -r place; do
    sha256sum "$place"
  done | sort -k 1,1 -u | sort -k 2 | while read -r _ place; do
    printf '\n==== %s\n\n' "$(basename "$(dirname "$place")")/$(basename "$place")"
    cat "$place"
  done
}

# Which Debian packages the programs need, found in the programs themselves.
needed_packages() {
  mkdir -p "$work/sources/debian"
  printf 'Source: incamera\n\nPackage: incamera\nArchitecture: any\n' >"$work/sources/debian/control"
  (cd "$work/sources" && dpkg-shlibdeps -O "${names[@]/#/$tree/usr/bin/}") | sed -n 's/^shlibs:Depends=//p'
}

make_deb() {
  local architecture root=$work/deb name
  architecture=$(dpkg --print-architecture)
  cp -a "$tree" "$root"
  mkdir "$root/DEBIAN"
  {
    printf 'incamera (%s) stable; urgency=medium\n\n  * What has changed is in changelog.gz.\n\n' "$version"
    printf ' -- %s  %s\n' "$maintainer" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
  } | gzip -9n >"$root/usr/share/doc/incamera/changelog.Debian.gz"
  fill packaging/debian/control VERSION="$version" ARCHITECTURE="$architecture" MAINTAINER="$maintainer" \
    DEPENDS="$(needed_packages)" SIZE="$(du -sk --apparent-size "$tree" | cut -f 1)" >"$root/DEBIAN/control"
  for name in postinst prerm postrm; do install -m 755 "packaging/debian/$name" "$root/DEBIAN/$name"; done
  (cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
  find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
  dpkg-deb --root-owner-group -Zxz --build "$root" "$output/incamera_${version}_$architecture.deb" >&2
}

make_rpm() {
  fill packaging/incamera.spec VERSION="$version" >"$work/incamera.spec"
  rpmbuild -bb --quiet --define "_topdir $work/rpm" --define "tree $tree" --define "_rpmdir $output" \
    --define '_rpmfilename %{name}-%{version}-%{release}.%{arch}.rpm' --define 'clamp_mtime_to_source_date_epoch 1' \
    --define 'use_source_date_epoch_as_buildtime 1' --define '_buildhost localhost' "$work/incamera.spec" >&2
}

mkdir -p "$output"
put_programs
put_desktop
put_relay
put_documents
make_deb
make_rpm
ls "$output"/incamera[-_]"$version"*
