# Building twice, and what all packages have in common. Sourced by .ci/packages.sh.
# shellcheck shell=bash disable=SC2154

build() {
  packaging/build --windows-exe "$windows_exe" --linux-exe "$linux_exe" "$@"
}

test_build() {
  local name
  echo "packages of $linux_exe and $windows_exe:"
  build --out "$work/dist" --version "$first"
  build --out "$work/next" --version "$second" --only msi
  # Build again, in another time zone, while the packages are tested.
  TZ=Asia/Tokyo build --out "$work/again" --version "$first" >"$work/again.log" 2>&1 &
  again=$!
  processes+=("$again")
  check 'the checksums are right' env -C "$work/dist" sha256sum --check --quiet SHA256SUMS
  check 'every package is in them' test "$(ls "$work/dist" | wc -l)" -eq "$(($(wc -l <"$work/dist/SHA256SUMS") + 1))"
  check 'the bill of materials is whole' packaging/sbom.py --check "$work/dist/casedrop-$first.cdx.json"
  name=$(cat "$work/dist/casedrop-$first.cdx.json")
  check 'it names what is shipped' holds "$name" '"pkg:cargo/tokio@' '"pkg:cargo/windows-service@' \
    '"pkg:cargo/secret-service@' \
    "\"pkg:cargo/casedrop@$first\""
  check 'and not what only tests use' lacks "$name" '"pkg:cargo/proptest@'
}

# Whether the second build equals the first.
test_same() {
  check 'the packages are built a second time' wait "$again"
  check 'the same commit and programs give the same packages, byte for byte' \
    cmp "$work/dist/SHA256SUMS" "$work/again/SHA256SUMS"
}

# Ends what this script started.
clean_up() {
  local process
  for process in "${processes[@]}"; do kill "$process" 2>/dev/null || true; done
  [[ -z ${WINEPREFIX:-} ]] || wineserver -k || true
}

# start_simulator NAME: starts a simulated Align; sets `api`, `oauth`, `admin`, `secret` and others.
start_simulator() {
  local file=$work/$1.yaml log=$work/$1.log
  printf 'accounts: [{ id: "4711", name: Smile Dental Lab, client_id: a-client, client_secret: s3cret-of-client }]\n' \
    >"$work/scenario.yaml"
  "$linux_exe" simulate --listen 127.0.0.1:0 --scenario "$work/scenario.yaml" >"$file" 2>"$log" </dev/null &
  processes+=($!)
  soon 30 grep -q '^labs:' "$file" || fail "the simulator did not start: $(cat "$log")"
  soon 10 grep -q '^ *account:' "$file" || fail "the simulator told no account: $(cat "$file")"
  field() { sed -n "s/^ *-\{0,1\} *$1: \"\(.*\)\"$/\1/p" "$file" | head -n 1; }
  api=$(field base_url) oauth=$(field oauth_base) client=$(field client_id) secret=$(field client_secret)
  account=$(field account)
  admin=$(sed -n 's/^Admin: \(.*\)\/state .*/\1/p' "$log")
}

# create_order: creates a small scan at the simulator; prints its number.
create_order() {
  curl -sS --fail --noproxy '*' -H 'content-type: application/json' -d '{"kind": "ortho-shell", "triangles": 300, "pixels": 64}' \
    "$admin/orders" |
    /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])'
}
