# shellcheck shell=bash
# What a person has to install; everything else installs itself.

# check_prerequisites: one line for each that is missing, then the end.
check_prerequisites() {
  local missing=0
  # rustup puts cargo there; a shell opened before the installation does not know it yet.
  command -v cargo >/dev/null || PATH=$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin
  require git "install it (Debian: apt-get install git)"
  require make "install it (Debian: apt-get install make)"
  require cc "it is the C compiler: install one (Debian: apt-get install build-essential)"
  require cargo "install Rust by rustup, see https://rustup.rs"
  ((missing == 0)) || die "the prerequisites named above are missing"
  check_rust
}

require() {
  command -v "$1" >/dev/null && return
  say "missing: $1; $2"
  missing=1
}

# check_rust: rustup fetches what rust-toolchain.toml names by itself; a cargo that came
# from elsewhere may be too old.
check_rust() {
  local wanted found
  wanted=$(sed -n 's/^channel = "\(.*\)"/\1/p' "$ROOT/rust-toolchain.toml")
  found=$(cd "$ROOT" && rustc --version) ||
    die "Rust $wanted cannot be had: 'rustc --version' failed in $ROOT; see above, and try 'rustup toolchain install $wanted'"
  found=${found#rustc }
  found=${found%% *}
  [[ $(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1) == "$wanted" ]] ||
    die "Rust $found is older than $wanted: install Rust by rustup, see https://rustup.rs"
}
