#!/usr/bin/env bash
# interop/page.sh PAGE.html: the page stands alone, and a browser that opens the file draws it without complaint.
set -euo pipefail
page=$(realpath "$1")
if grep -oEi "(src|href)=[\"']?([a-z]+:)?//[^\"' >]*|url\([\"']?([a-z]+:)?//[^)]*|@import[^;]*" "$page"; then
	echo "problem: $page refers to what lies outside it" >&2
	exit 1
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
browse() { # FILE: its document once loaded; what the page's console says goes to standard error
	timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
		--disable-component-update --disable-sync --disable-dev-shm-usage --user-data-dir="$(mktemp -d -p "$tmp")" \
		--enable-logging=stderr --dump-dom "file://$1"
}
# A page that is known to complain must be seen to, or silence would prove nothing.
echo '<script>console.error("is this heard?")</script>' >"$tmp/bad.html"
browse "$tmp/bad.html" >/dev/null 2>"$tmp/bad.log"
grep -q 'CONSOLE.*is this heard' "$tmp/bad.log" || { echo "problem: the browser does not report its console" >&2; exit 1; }

browse "$page" >"$tmp/dom.html" 2>"$tmp/page.log"
if grep CONSOLE "$tmp/page.log"; then
	echo "problem: the page's console has messages" >&2
	exit 1
fi
n=$(grep -o '<svg' "$tmp/dom.html" | wc -l)
[ "$n" -gt 0 ] || { echo "problem: the page has no charts" >&2; exit 1; }
echo "$(basename "$page"): $n svg elements, no outside reference, a silent console"
