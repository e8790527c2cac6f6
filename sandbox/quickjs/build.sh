#!/bin/sh
# Builds quickjs.wasm from shim.c, guest/, library/ and the C sources that the crate rquickjs-sys carries. See README.md.
#
#   build.sh [SOURCE_DIR]           writes quickjs.wasm and SHA256SUMS
#   build.sh --check [SOURCE_DIR]   rebuilds aside and compares with SHA256SUMS; exit status 1 if they differ
#
# SOURCE_DIR is an unpacked rquickjs-sys crate. Without it the pinned version is fetched with cargo and the
# checksum of the crate is verified. Needs clang-19, lld-19 and libclang-rt-19-dev-wasm32 (Debian's names);
# CLANG, WASM_LD and BUILTINS override where they are.
set -eu

# In this order.
LIBRARY="base errors encoding clone url_host url_record url_parser url events abort timers crypto"

CRATE=rquickjs-sys
VERSION=0.14.0
CRATE_SHA256=cee271d0eeba64f0915b846cb7ae02e16faf3dfdffdca91731101d9d30fe3423

here=$(cd "$(dirname "$0")" && pwd)
check=no
if [ "${1:-}" = --check ]; then check=yes; shift; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fetch() {
    mkdir -p "$work/fetch/src"
    cat > "$work/fetch/Cargo.toml" <<TOML
[package]
name = "fetch"
version = "0.0.0"
edition = "2021"
[dependencies]
$CRATE = "=$VERSION"
[workspace]
TOML
    : > "$work/fetch/src/lib.rs"
    (cd "$work/fetch" && cargo fetch --quiet)
    archive=$(find "${CARGO_HOME:-$HOME/.cargo}/registry/cache" -name "$CRATE-$VERSION.crate" | head -n 1)
    echo "$CRATE_SHA256  $archive" | sha256sum --check --quiet
    tar -xzf "$archive" -C "$work"
    source=$work/$CRATE-$VERSION
}

if [ $# -gt 0 ]; then source=$(cd "$1" && pwd); else fetch; fi

clang=${CLANG:-clang-19}
wasm_ld=${WASM_LD:-wasm-ld-19}
builtins=${BUILTINS:-$(find /usr/lib/llvm-19/lib /usr/lib/clang -name 'libclang_rt.builtins-wasm32.a' 2>/dev/null | head -n 1)}
[ -n "$builtins" ] || { echo "build.sh: compiler-rt builtins for wasm32 not found; set BUILTINS" >&2; exit 2; }

# EMSCRIPTEN keeps threads, atomics and the floating-point environment out of quickjs. The target is not wasi on
# purpose: quickjs drops its stack check under __wasi__, and recursion would end in a trap.
compile() {
    "$clang" --target=wasm32-unknown-unknown -nostdlibinc -isystem "$source/vendor/wasi-libc/include" \
        -I "$source/quickjs" --embed-dir="$work" -D_GNU_SOURCE -DEMSCRIPTEN=1 -DFE_DOWNWARD=0 -DFE_UPWARD=0 -DNDEBUG \
        "${OPT:--O3}" -std=gnu11 -fno-strict-aliasing -fwrapv -w \
        -ffile-prefix-map="$source"=crate -ffile-prefix-map="$here"=shim \
        -mbulk-memory -msign-ext -mnontrapping-fptoint -mmutable-globals -c "$1" -o "$2"
}

# The library is one function expression: its files share a scope and are given the natives and the global object.
{
    echo "(function (native, global) { 'use strict';"
    for part in $LIBRARY; do cat "$here/library/$part.js"; done
    echo "return attach; })"
} > "$work/library.js"

compile "$here/shim.c" "$work/shim.o"
for unit in libregexp libunicode dtoa; do
    compile "$source/quickjs/$unit.c" "$work/$unit.o"
done

# --stack-first: overflowing the C stack traps at address 0 instead of reaching data.
"$wasm_ld" --no-entry --gc-sections --strip-all --stack-first -z stack-size=524288 \
    --export=__stack_pointer --export-memory --initial-memory=1310720 --max-memory=268435456 \
    "$work/shim.o" "$work/libregexp.o" "$work/libunicode.o" "$work/dtoa.o" \
    "$source/vendor/wasi-libc/lib/libc.a" "$builtins" -o "$work/quickjs.wasm"

if [ $check = yes ]; then
    cd "$work"
    sha256sum --check "$here/SHA256SUMS"
    cmp "$work/quickjs.wasm" "$here/quickjs.wasm"
else
    cp "$work/quickjs.wasm" "$here/quickjs.wasm"
    cd "$here"
    sha256sum quickjs.wasm > SHA256SUMS
    cat SHA256SUMS
fi
